"""The guest of LinuxGuestTest: runs in a network namespace of its own, carries a TAP device to a switch's socket, and talks."""
import asyncio, fcntl, hashlib, os, socket, struct, subprocess, sys, threading, time

SWITCH, PORT, LENGTH = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
TUNSETIFF, TUNSETVNETHDRSZ, TUNSETOFFLOAD = 0x400454CA, 0x400454D8, 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 2, 0x1000, 0x4000
CSUM, TSO4, TSO6 = 1, 2, 4
MAC = bytes.fromhex("525400123456")

tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"tap0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
fcntl.ioctl(tap, TUNSETVNETHDRSZ, struct.pack("i", 12))
fcntl.ioctl(tap, TUNSETOFFLOAD, CSUM | TSO4 | TSO6)
switch = socket.socket(socket.AF_UNIX)
switch.connect(SWITCH)
switch.sendall(b"KGS1")
frames = switch.makefile("rb", 1 << 20)
assert frames.read(4) == b"KGS1"


def say(text):
    print(text, flush=True)


def send_all():
    while True:
        frame = os.read(tap, 70000)
        switch.sendall(struct.pack(">I", len(frame)) + frame)


def receive_all():
    while True:
        prefix = frames.read(4)
        if len(prefix) < 4:
            return
        os.write(tap, frames.read(struct.unpack(">I", prefix)[0]))


threading.Thread(target=send_all, daemon=True).start()
threading.Thread(target=receive_all, daemon=True).start()


def ip(*arguments):
    subprocess.run(("ip",) + arguments, check=True)


ip("link", "set", "lo", "up")
ip("link", "set", "tap0", "address", "52:54:00:12:34:56")
ip("link", "set", "tap0", "up")


def dhcp():
    """Asks for an address, by UDP from an interface that has none."""
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    asker.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"tap0")
    asker.bind(("", 68))
    asker.settimeout(1)

    def ask(kind, options=b""):
        message = struct.pack(">BBBBIHH16x", 1, 1, 6, 0, 0x12345678, 0, 0x8000) + MAC + bytes(202)
        message += bytes.fromhex("63825363") + bytes((53, 1, kind)) + options + b"\xff"
        for _ in range(10):
            asker.sendto(message, ("255.255.255.255", 67))
            try:
                answer = asker.recv(2000)
                break
            except socket.timeout:
                continue
        found, at = {}, 240
        while answer[at] != 255:
            if answer[at] == 0:
                at += 1
                continue
            found[answer[at]] = answer[at + 2 : at + 2 + answer[at + 1]]
            at += 2 + answer[at + 1]
        return answer[16:20], found

    ip("route", "add", "255.255.255.255", "dev", "tap0")
    address, _ = ask(1)
    address, options = ask(3, b"\x32\x04" + address)
    assert options[53] == b"\x05"
    ip("addr", "add", socket.inet_ntoa(address) + "/24", "dev", "tap0")
    ip("route", "add", "default", "via", socket.inet_ntoa(options[3]))
    words = [socket.inet_ntoa(part) for part in (address, options[3], options[6])]
    say(" ".join(["dhcp"] + words + [str(struct.unpack(">H", options[26])[0])]))


def connect(address="10.0.2.2", port=PORT):
    return socket.create_connection((address, port), timeout=30)


def read_all(connection):
    data = bytearray()
    while True:
        part = connection.recv(1 << 18)
        if not part:
            return bytes(data)
        data += part


dhcp()
began = time.time()
try:
    connect(port=1)
except ConnectionRefusedError:
    say("closed port refused" if time.time() - began < 2 else "closed port refused late")

connection = connect()
connection.sendall(b"get ")
data = read_all(connection)
say("download complete" if len(data) == LENGTH else "download of %d" % len(data))

connection = connect()
connection.sendall(b"put " + data)
connection.shutdown(socket.SHUT_WR)
say("upload complete" if read_all(connection) == b"same" else "upload differs")


async def one(number):
    block = hashlib.sha256(b"%d" % number).digest() * 1000
    reader, writer = await asyncio.open_connection("10.0.2.2", PORT)
    writer.write(b"echo" + block)
    writer.write_eof()
    return await reader.read(-1) == block


async def many():
    return sum(await asyncio.gather(*(one(number) for number in range(200))))


say("%d connections complete" % asyncio.run(many()))

# The address comes with a router advertisement, and duplicate address detection takes a second or two.
for _ in range(100):
    shown = subprocess.run(("ip", "-6", "addr", "show", "dev", "tap0"), capture_output=True, text=True).stdout
    if "fd00::" in shown and "tentative" not in shown:
        break
    time.sleep(0.1)
try:
    connect("fd00::2", 1)
except ConnectionRefusedError:
    say("over IPv6 complete")

listener = socket.create_server(("0.0.0.0", 80))
say("listening")
served, _ = listener.accept()
while True:
    part = served.recv(1 << 16)
    if not part:
        break
    served.sendall(part)
served.close()
sys.stdin.read()
