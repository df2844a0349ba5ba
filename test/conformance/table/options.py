"""Tries options of a TCP socket of the kernel: on stdin a JSON list of [level, option, value, length],
the value in hex or null; a fresh socket for each. On stdout what came of them, a list too. With a value
it is set, and then read with a long buffer; else it is read into one of that length."""
import ctypes, errno, json, socket, sys

libc = ctypes.CDLL(None, use_errno=True)
ROOM = 64


def get(fd, level, option, length):
    buffer = ctypes.create_string_buffer(ROOM)
    size = ctypes.c_int(length)
    if libc.getsockopt(fd, level, option, buffer, ctypes.byref(size)) < 0:
        return errno.errorcode[ctypes.get_errno()]
    return buffer.raw[: max(size.value, 0)].hex() or 'nothing'


def attempt(level, option, value, length):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        if value is None:
            return get(s.fileno(), level, option, length)
        buffer = ctypes.create_string_buffer(bytes.fromhex(value), ROOM)
        if libc.setsockopt(s.fileno(), level, option, buffer, ctypes.c_int(length)) < 0:
            return errno.errorcode[ctypes.get_errno()]
        return 'set, ' + get(s.fileno(), level, option, ROOM)


answers = [attempt(*one).replace('ENOTSUP', 'EOPNOTSUPP') for one in json.load(sys.stdin)]
json.dump(answers, sys.stdout)
