package dev.kagami.control;

import static dev.kagami.control.Refusals.assertCode;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.ErrorCode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class MachinesTest {
    @TempDir
    private Path directory;

    private Machines machines() {
        return new Machines(directory.resolve("run"), directory.resolve("data"));
    }

    @Test
    void aNameIsOneMachinesOnly() {
        try (Machines.Claim claim = machines().claim("foobar")) {
            assertCode(ErrorCode.NAME_UNUSABLE, () -> machines().claim("foobar"), "'foobar' runs already");
            assertThat(claim.name()).isEqualTo("foobar");
        }
        machines().claim("foobar").close();
    }

    @Test
    void namesThatLeadElsewhereAreRefused() {
        for (String name : List.of("", ".", "..", "a/b", "../x", "-x", "a b", "a\n", "ä", "x".repeat(49))) {
            assertCode(ErrorCode.NAME_UNUSABLE, () -> machines().claim(name), "'" + name + "'");
            assertCode(ErrorCode.NAME_UNUSABLE, () -> machines().connect(name), "'" + name + "'");
            assertCode(ErrorCode.NAME_UNUSABLE, () -> machines().remove(name), "'" + name + "'");
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
        assertCode(ErrorCode.CONTROL_FAILED, () -> machines().claim("foobar"), open.toString());
    }

    @Test
    void whatAKilledProcessLeftIsTakenAway() throws Exception {
        machines().claim("foobar").close();
        Path socket = Files.createFile(directory.resolve("run/machine-foobar.sock"));
        assertThat(machines().running()).isEmpty();
        assertThat(socket).doesNotExist();
        assertCode(ErrorCode.MACHINE_UNKNOWN, () -> machines().connect("foobar"), "'foobar'");
    }

    @Test
    void directoriesThatAreNoneAreNamed() throws Exception {
        Path data = Files.createFile(directory.resolve("data"));
        Path run = Files.createFile(directory.resolve("run"));
        assertCode(ErrorCode.CONTROL_FAILED, () -> machines().kept(), data.toString());
        assertCode(ErrorCode.CONTROL_FAILED, () -> machines().running(), run.toString());
        assertCode(ErrorCode.CONTROL_FAILED, () -> machines().claim("foobar"), run.toString());
    }

    @Test
    void whatCannotBeDeletedIsNamed() throws Exception {
        Path kept = Files.createDirectories(directory.resolve("data/foobar"));
        Files.createFile(Files.createDirectory(kept.resolve("something")).resolve("else"));
        assertCode(ErrorCode.CONTROL_FAILED, () -> machines().remove("foobar"), "'foobar'", "something");
        assertThat(machines().kept()).containsExactly("foobar");
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
            assertCode(ErrorCode.NAME_UNUSABLE, () -> machines().remove("foobar"), "'foobar'");
        }
        assertThat(machines().kept()).containsExactly("foobar");
        machines().remove("foobar");
        assertThat(kept).doesNotExist();
        assertCode(ErrorCode.MACHINE_UNKNOWN, () -> machines().remove("foobar"), "'foobar'");
    }
}
