"""Holds connections to an echo server all at the same time, and talks on each: many_clients.py HOST PORT COUNT"""
import asyncio
import sys


async def client(number, everyone):
    reader, writer = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    await everyone.wait()
    for turn in range(3):
        message = f"{number} {turn}\n".encode() * 100
        writer.write(message)
        await writer.drain()
        if await reader.readexactly(len(message)) != message:
            raise AssertionError(f"connection {number} got something else")
    await everyone.wait()
    writer.close()
    await writer.wait_closed()


async def main():
    count = int(sys.argv[3])
    everyone = asyncio.Barrier(count)
    await asyncio.gather(*(client(number, everyone) for number in range(count)))
    print("connections served:", count)


asyncio.run(main())
