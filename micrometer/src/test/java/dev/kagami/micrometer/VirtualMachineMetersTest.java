package dev.kagami.micrometer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Outcome;
import dev.kagami.vm.VirtualMachine;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class VirtualMachineMetersTest {
    private static final int LOAD = 0x10_0000;
    private static final int HEADER = 32;

    /** A multiboot 1 kernel (specification 0.6.96, 3.1): mov al, 16; out 0xf4, al. */
    private static Path kernel(Path file) throws Exception {
        byte[] code = {(byte) 0xB0, 0x10, (byte) 0xE6, (byte) 0xF4, (byte) 0xEB, (byte) 0xFE};
        int end = LOAD + HEADER + code.length;
        ByteBuffer image = ByteBuffer.allocate(HEADER + code.length).order(ByteOrder.LITTLE_ENDIAN);
        image.putInt(0x1BAD_B002).putInt(1 << 16).putInt(-(0x1BAD_B002 + (1 << 16)));
        image.putInt(LOAD).putInt(LOAD).putInt(end).putInt(end).putInt(LOAD + HEADER);
        return Files.write(file, image.put(code).array());
    }

    @Test
    void metersFollowTheMachine(@TempDir Path directory) throws Exception {
        Path kernel = kernel(directory.resolve("kernel"));
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        try (VirtualMachine machine = VirtualMachine.create(c -> c.linux(new LinuxBoot(kernel, null, ""))
                .memory(MemorySize.ofMebibytes(4))
                .debugExit(0xF4))) {
            new VirtualMachineMeters(machine, Tags.of("machine", "one")).bindTo(registry);
            assertThat(registry.get("kagami.running")
                            .tag("machine", "one")
                            .gauge()
                            .value())
                    .isZero();
            assertThat(registry.get("kagami.instructions").functionCounter().count())
                    .isZero();

            machine.start();
            assertThat(machine.awaitShutdown()).isInstanceOf(Outcome.DebugExit.class);

            assertThat(registry.get("kagami.instructions").functionCounter().count())
                    .isGreaterThanOrEqualTo(2);
            assertThat(registry.get("kagami.exits")
                            .tag("reason", "port-write")
                            .functionCounter()
                            .count())
                    .isEqualTo(1);
            assertThat(registry.get("kagami.memory.size").gauge().value()).isEqualTo(4 << 20);
        }
    }
}
