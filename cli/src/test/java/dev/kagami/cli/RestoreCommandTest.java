package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.Disk;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Network;
import dev.kagami.vm.VirtualMachine;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code kagami restore} and {@code kagami snapshot} as processes, with a guest that says the alphabet and powers off. */
@Timeout(120)
final class RestoreCommandTest {
    private static final String ALPHABET = """
            bb00002000 c703 00000000 c7430441000000
            baf8030000
            ff03 8b03 a9ffff3f00 75f5
            8b4304 ee ff4304 837b045b 75e8
            ba04060000 66b80034 66ef ebfe""";

    private static final int LOAD = 0x10_0000;
    private static final int MAGIC = 0x1BAD_B002;
    private static final int HAS_ADDRESSES = 1 << 16;
    private static final int HEADER_SIZE = 32;

    @TempDir
    private Path directory;

    private Path file = Path.of("file");

    @BeforeEach
    void save() throws Exception {
        byte[] code = HexFormat.of().parseHex(ALPHABET.replaceAll("\\s", ""));
        int end = LOAD + HEADER_SIZE + code.length;
        ByteBuffer image = ByteBuffer.allocate(HEADER_SIZE + code.length).order(ByteOrder.LITTLE_ENDIAN);
        image.putInt(MAGIC).putInt(HAS_ADDRESSES).putInt(-(MAGIC + HAS_ADDRESSES));
        image.putInt(LOAD).putInt(LOAD).putInt(end).putInt(end).putInt(LOAD + HEADER_SIZE);
        Path kernel = Files.write(directory.resolve("kernel"), image.put(code).array());
        Path disk = Files.write(directory.resolve("disk.raw"), new byte[1 << 20]);
        file = directory.resolve("machine.snapshot");
        try (VirtualMachine machine = VirtualMachine.create(c -> c.linux(l -> l.kernel(kernel))
                .engine("interpreter")
                .memory(MemorySize.ofMebibytes(16))
                .disk(Disk.of(disk))
                .network(Network.nat().forward(0, 80)))) {
            machine.start();
            machine.console().awaitText("B", Duration.ofMinutes(1));
            machine.pause();
            machine.save(file);
        }
    }

    @Test
    void theMachineGoesOnToItsEndAsOftenAsAskedFor() throws Exception {
        CommandProcess kagami = new CommandProcess(directory);
        for (String[] arguments :
                new String[][] {{"restore"}, {"restore", "--copy", "-v", "--engine", "interpreter"}}) {
            String[] all = Arrays.copyOf(arguments, arguments.length + 1);
            all[arguments.length] = file.toString();
            CommandProcess.Result result = kagami.run(all);
            assertThat(result.status()).as(result.err()).isZero();
            assertThat("ABCDEFGHIJKLMNOPQRSTUVWXYZ").endsWith(result.out());
            assertThat(result.out()).contains("TUVWXYZ").doesNotContain("A");
        }
    }

    @Test
    void snapshotTellsOfTheMachineAndRefusesDamage() throws Exception {
        CommandProcess kagami = new CommandProcess(directory);
        assertThat(kagami.run("snapshot", file.toString()).out())
                .contains("memory      16M", "disk 0      read-write ", "network 0   nat, address 52:54:", ":80");
        byte[] bytes = Files.readAllBytes(file);
        bytes[5000] ^= 1;
        Files.write(file, bytes);
        for (String command : new String[] {"snapshot", "restore"}) {
            CommandProcess.Result refused = kagami.run(command, file.toString());
            assertThat(refused.status()).isEqualTo(1);
            assertThat(refused.err()).contains("machine.snapshot", "damaged", "hint: ");
        }
    }
}
