package dev.kagami.junit;

import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/** A machine that starts at once: a multiboot 1 kernel (specification 0.6.96, 3.1) that prints "up" and turns in circles. */
final class Spinning implements MachineDefinition {
    private static final int LOAD = 0x10_0000;
    private static final int MAGIC = 0x1BAD_B002;
    private static final int HAS_ADDRESSES = 1 << 16;
    private static final int HEADER = 32;

    // mov edx, 0x3f8; mov al, 'u'; out dx, al; mov al, 'p'; out dx, al; jmp $
    private static final byte[] CODE = {
        (byte) 0xBA,
        (byte) 0xF8,
        3,
        0,
        0,
        (byte) 0xB0,
        'u',
        (byte) 0xEE,
        (byte) 0xB0,
        'p',
        (byte) 0xEE,
        (byte) 0xEB,
        (byte) 0xFE
    };

    private static final Path KERNEL = write();

    Spinning() {}

    private static Path write() {
        ByteBuffer image = ByteBuffer.allocate(HEADER + CODE.length).order(ByteOrder.LITTLE_ENDIAN);
        int end = LOAD + image.capacity();
        image.putInt(MAGIC).putInt(HAS_ADDRESSES).putInt(-(MAGIC + HAS_ADDRESSES));
        image.putInt(LOAD).putInt(LOAD).putInt(end).putInt(end).putInt(LOAD + HEADER);
        try {
            Path file = Files.createTempFile("kernel", "");
            file.toFile().deleteOnExit();
            return Files.write(file, image.put(CODE).array());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void describe(VirtualMachineConfig.Builder builder) {
        builder.linux(new LinuxBoot(KERNEL, null, "")).memory(MemorySize.ofMebibytes(4));
    }
}
