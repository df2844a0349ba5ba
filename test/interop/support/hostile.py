"""Writes malformed packets with malformed virtio_net_hdrs to a TUN's other side.

usage: hostile.py DEVICE SOURCE DESTINATION PORT COUNT SEED
"""
import random
import socket
import struct
import sys

device, source, destination, port, count, seed = sys.argv[1:]
random.seed(int(seed))
SOL_PACKET, PACKET_VNET_HDR = 263, 15
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
out.bind((device, 0x0800))


def sum16(data):
    data += b'\0' * (len(data) & 1)
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def packet():
    protocol = random.choice([6, 17, 6, 17, 1, 47])
    ports = struct.pack('>HH', random.randrange(65536), int(port))
    payload = random.randbytes(random.choice([0, 1, 100, 1400, 9000, 40000]))
    if protocol == 6:
        flags = random.choice([2, 16, 24, 17, 4, 0xff])
        body = ports + struct.pack('>IIHHHH', random.getrandbits(32), random.getrandbits(32),
                                   5 << 12 | flags, 500, random.getrandbits(16), 0)
    else:
        body = ports + struct.pack('>HH', 8 + len(payload), random.getrandbits(16))
    body += payload
    header = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(body), 1, 0x4000, 64, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    header = header[:10] + struct.pack('>H', ~sum16(header) & 0xffff) + header[12:]
    whole = bytearray(header + body)
    if random.random() < 0.3:
        whole[random.randrange(len(whole))] = random.randrange(256)
    return bytes(whole)


def vnet(length):
    places = [0, 6, 16, 20, 28, length - 2, length, 65535]
    return struct.pack('=BBHHHH', random.choice([0, 1, 1, 1, 2, 3, 255]),
                       random.choice([0, 1, 1, 4, 5, 5, 0x81, 3, 77]), random.choice(places),
                       random.choice([0, 1, 7, 100, 1400, 65535]), random.choice(places) & 0xffff,
                       random.choice([6, 16, 16, 0, 65535]))


taken = 0
for _ in range(int(count)):
    data = packet()
    try:
        out.send(vnet(len(data)) + data)
        taken += 1
    except OSError:
        pass
print(taken)
