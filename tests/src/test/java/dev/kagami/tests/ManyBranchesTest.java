package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Many guests that were made from one snapshot, and wait. */
@Timeout(300)
final class ManyBranchesTest {
    private static final int BRANCHES = 8;
    private static final Pattern CODE =
            Pattern.compile("(?m)^\\S+ rw-s .*kagami-code.*\\n(?:\\S+:.*\\n)*?Rss:\\s+(\\d+) kB");

    /** The budget, and what machines keep that are not asked for so little. */
    private static final long MOST_KIB = (48 + BRANCHES) << 10;

    private static final String COMMAND = "cd /bin; for f in *; do echo $f; done | sort -r | md5sum";

    @TempDir
    private Path directory;

    @Test
    void idleBranchesGiveTheirCodeBackAndAnswerAsBefore() throws Exception {
        Path file = directory.resolve("booted.snapshot");
        try (VirtualMachine machine = VirtualMachine.create(c -> c.linux(Guests.cloud()))) {
            machine.start();
            machine.exec("true");
            machine.pause();
            machine.save(file);
        }
        List<VirtualMachine> machines = new ArrayList<>();
        try (Snapshot snapshot = Snapshot.open(file)) {
            for (int i = 0; i < BRANCHES; i++) {
                machines.add(snapshot.branch(c -> {}));
                machines.getLast().resume();
            }
            String answer = answer(machines.getFirst());
            for (VirtualMachine machine : machines) {
                assertThat(answer(machine)).isEqualTo(answer);
            }
            while (codeKib() > MOST_KIB) {
                Thread.sleep(100);
            }
            for (VirtualMachine machine : machines) {
                assertThat(answer(machine)).isEqualTo(answer);
            }
        } finally {
            machines.forEach(VirtualMachine::close);
        }
    }

    private static String answer(VirtualMachine machine) throws InterruptedException {
        return machine.exec(COMMAND).stdout();
    }

    /** {@return what translated code takes of the host's memory; 0 on an engine without} */
    private static long codeKib() throws IOException {
        long sum = 0;
        Matcher mapped = CODE.matcher(Files.readString(Path.of("/proc/self/smaps")));
        while (mapped.find()) {
            sum += Long.parseLong(mapped.group(1));
        }
        return sum;
    }
}
