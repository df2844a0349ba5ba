#include "device/socket_address.h"

#include <cerrno>

namespace netland {

int set_option(int fd, int level, int name, int value) noexcept {
  return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

int bind_to_device(int fd, const char* device) noexcept {
  if (device[0] == '\0') return 0;
  const auto length = static_cast<socklen_t>(std::strlen(device));
  return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, length) == 0 ? 0 : -errno;
}

}  // namespace netland
