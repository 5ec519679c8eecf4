package dev.kagami.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class MachinesTest {
    @TempDir
    private Path directory;

    private Machines machines() {
        return new Machines(directory.resolve("run"), directory.resolve("data"));
    }

    private static void assertCode(ErrorCode code, ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOfSatisfying(KagamiException.class, e -> {
            assertThat(e.code()).isEqualTo(code);
            assertThat(e.hint()).isNotEmpty();
        });
    }

    @Test
    void aNameIsOneMachinesOnly() {
        try (Machines.Claim claim = machines().claim("foobar")) {
            assertCode(ErrorCode.NAME_UNUSABLE, () -> machines().claim("foobar"));
            assertThat(claim.name()).isEqualTo("foobar");
        }
        machines().claim("foobar").close();
    }

    @Test
    void namesThatLeadElsewhereAreRefused() {
        for (String name : List.of("", ".", "..", "a/b", "../x", "-x", "a b", "a\n", "ä", "x".repeat(49))) {
            assertCode(ErrorCode.NAME_UNUSABLE, () -> machines().claim(name));
            assertCode(ErrorCode.NAME_UNUSABLE, () -> machines().connect(name));
            assertCode(ErrorCode.NAME_UNUSABLE, () -> machines().remove(name));
        }
    }

    @Test
    void onlyItsUserMayEnterTheDirectory() throws Exception {
        machines().claim("foobar").close();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve("run"))))
                .isEqualTo("rwx------");
    }

    @Test
    void aDirectoryThatOthersCanWriteToIsRefused() throws Exception {
        Path open = Files.createDirectory(directory.resolve("run"));
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertCode(ErrorCode.CONTROL_FAILED, () -> machines().claim("foobar"));
    }

    @Test
    void whatAKilledProcessLeftIsTakenAway() throws Exception {
        machines().claim("foobar").close();
        Path socket = Files.createFile(directory.resolve("run/machine-foobar.sock"));
        assertThat(machines().running()).isEmpty();
        assertThat(socket).doesNotExist();
        assertCode(ErrorCode.MACHINE_UNKNOWN, () -> machines().connect("foobar"));
    }

    @Test
    void whoAsksForAnyNameGetsAFreeOne() throws Exception {
        Files.createDirectories(directory.resolve("data/vm2"));
        try (Machines.Claim first = machines().claimAny();
                Machines.Claim second = machines().claimAny()) {
            assertThat(first.name()).isEqualTo("vm1");
            assertThat(second.name()).isEqualTo("vm3");
        }
    }

    @Test
    void whatIsKeptIsDeletedButNotOfAMachineThatRuns() throws Exception {
        Path kept = Files.createDirectories(directory.resolve("data/foobar"));
        Files.createFile(kept.resolve("disk.qcow2"));
        try (Machines.Claim claim = machines().claim("foobar")) {
            assertThat(claim.directory()).isEqualTo(kept);
            assertCode(ErrorCode.NAME_UNUSABLE, () -> machines().remove("foobar"));
        }
        assertThat(machines().kept()).containsExactly("foobar");
        machines().remove("foobar");
        assertThat(kept).doesNotExist();
        assertCode(ErrorCode.MACHINE_UNKNOWN, () -> machines().remove("foobar"));
    }
}
