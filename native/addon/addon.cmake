# The development addon, as cmake-js builds it. binding.gyp has the same lists.
set(NETLAND_DEVICE_SOURCES
  device/bpf_filter.cc
  device/intake.cc
  device/interfaces.cc
  device/netlink.cc
  device/next_hop.cc
  device/packet_socket.cc
  device/port_guard.cc
  device/port_set.cc
  device/raw_socket.cc
  device/route.cc
  device/sender.cc
  device/socket_address.cc
  device/tun.cc
  device/vnet_header.cc
)
set(NETLAND_ADDON_SOURCES
  addon/addon.cc
  addon/codec.cc
  addon/device.cc
  addon/event_callback.cc
  addon/monitor.cc
  addon/poller.cc
  addon/port_guards.cc
  addon/routes.cc
  addon/system.cc
)

execute_process(
  COMMAND node -p "require('node-addon-api').include_dir"
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
  OUTPUT_VARIABLE NETLAND_NODE_ADDON_API
  OUTPUT_STRIP_TRAILING_WHITESPACE
  COMMAND_ERROR_IS_FATAL ANY
)

add_library(netland SHARED
  ${NETLAND_DEVICE_SOURCES} ${NETLAND_ADDON_SOURCES} ${CMAKE_JS_SRC})
set_target_properties(netland PROPERTIES
  PREFIX "" SUFFIX ".node" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
target_include_directories(netland SYSTEM PRIVATE ${CMAKE_JS_INC} ${NETLAND_NODE_ADDON_API})
target_compile_definitions(netland PRIVATE NAPI_VERSION=8 NAPI_DISABLE_CPP_EXCEPTIONS NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS)
target_compile_options(netland PRIVATE
  -fno-exceptions -fno-rtti -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
target_link_libraries(netland PRIVATE netland_core ${CMAKE_JS_LIB})
