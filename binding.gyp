{
  # native/CMakeLists.txt and native/addon/addon.cmake have the same lists.
  "variables": {
    "core_sources": [
      "native/core/build.cc",
      "native/core/checksum.cc",
      "native/core/cut.cc",
      "native/core/extension_headers.cc",
      "native/core/flow_hash.cc",
      "native/core/fragment.cc",
      "native/core/frame.cc",
      "native/core/icmp.cc",
      "native/core/parse.cc",
      "native/core/tcp_options.cc",
    ],
    "device_sources": [
      "native/device/bpf_filter.cc",
      "native/device/intake.cc",
      "native/device/interfaces.cc",
      "native/device/netlink.cc",
      "native/device/next_hop.cc",
      "native/device/packet_socket.cc",
      "native/device/port_guard.cc",
      "native/device/port_set.cc",
      "native/device/raw_socket.cc",
      "native/device/route.cc",
      "native/device/sender.cc",
      "native/device/socket_address.cc",
      "native/device/tun.cc",
      "native/device/vnet_header.cc",
    ],
    "addon_sources": [
      "native/addon/addon.cc",
      "native/addon/codec.cc",
      "native/addon/device.cc",
      "native/addon/event_callback.cc",
      "native/addon/monitor.cc",
      "native/addon/poller.cc",
      "native/addon/port_guards.cc",
      "native/addon/routes.cc",
      "native/addon/system.cc",
    ],
  },
  "targets": [
    {
      "target_name": "netland",
      "conditions": [
        ["OS=='linux'", {
          "sources": [
            "<@(core_sources)",
            "<@(device_sources)",
            "<@(addon_sources)",
          ],
          "include_dirs": [
            "native",
            "<!(node -p \"require('node-addon-api').include_dir\")",
          ],
          "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS",
                      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
          "cflags": ["-Wall", "-Wextra", "-fvisibility=hidden"],
          "cflags_cc!": ["-std=gnu++17", "-std=gnu++14"],
          "cflags_cc": ["-std=c++20", "-fno-exceptions", "-fno-rtti"],
        }, {
          # Raw sockets and TUN devices are Linux's; elsewhere the TypeScript codec does all.
          "type": "none",
        }],
      ],
    },
  ],
}
