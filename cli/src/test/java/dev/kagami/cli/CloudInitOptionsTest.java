package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.vm.CloudInit;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

final class CloudInitOptionsTest {
    private static final String KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKhP2mk9WbM5sVZ4n8n me@here";

    @TempDir
    private Path directory;

    private static CloudInitOptions options(String... arguments) {
        return CommandLine.populateCommand(new CloudInitOptions(), arguments);
    }

    private static String file(CloudInit seed, String name) {
        return new String(seed.files().get(name), StandardCharsets.UTF_8);
    }

    @Test
    void noOptionIsNoSeed() {
        assertThat(options().seed()).isEmpty();
    }

    @Test
    void nameUserPasswordAndKeysAreInTheUserData() throws Exception {
        Path keys = Files.writeString(directory.resolve("my keys.pub"), KEY + "\n");
        CloudInit seed = options(
                        "--hostname", "foobar", "--user", "me", "--password", "ubuntu", "--ssh-key", keys.toString())
                .seed()
                .orElseThrow();
        assertThat(file(seed, "user-data"))
                .contains("hostname: \"foobar\"", "name: \"me\"", "hashed_passwd: \"$6$", KEY)
                .doesNotContain("ubuntu");
        assertThat(file(seed, "meta-data")).contains("local-hostname: \"foobar\"", "instance-id: \"kagami-");
    }

    @Test
    void aKeyMayStandOnTheCommandLine() {
        CloudInit seed = options("--ssh-key", KEY).seed().orElseThrow();
        assertThat(file(seed, "user-data")).contains(KEY);
    }

    @Test
    void aPrivateKeyIsRefused() throws Exception {
        Path key = Files.writeString(directory.resolve("id_ed25519"), "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n");
        assertThatThrownBy(() -> options("--ssh-key", key.toString()).seed())
                .isInstanceOf(KagamiException.class)
                .hasMessageContainingAll(key.toString(), "private key");
    }

    @Test
    void filesArePassedOnAsTheyAre() throws Exception {
        Path user = Files.writeString(directory.resolve("u"), "#cloud-config\nruncmd: [ls]\n");
        Path meta = Files.writeString(directory.resolve("m"), "instance-id: i-1\n");
        Path network = Files.writeString(directory.resolve("n"), "version: 2\n");
        Path vendor = Files.writeString(directory.resolve("v"), "#cloud-config\n{}\n");
        CloudInit seed = options(
                        "--cloud-init",
                        user.toString(),
                        "--meta-data",
                        meta.toString(),
                        "--network-config",
                        network.toString(),
                        "--vendor-data",
                        vendor.toString())
                .seed()
                .orElseThrow();
        assertThat(file(seed, "user-data")).isEqualTo(Files.readString(user));
        assertThat(file(seed, "meta-data")).isEqualTo(Files.readString(meta));
        assertThat(file(seed, "network-config")).isEqualTo(Files.readString(network));
        assertThat(file(seed, "vendor-data")).isEqualTo(Files.readString(vendor));
    }

    @Test
    void aPasswordComesFromAFileToo() throws Exception {
        Path file = Files.writeString(directory.resolve("password"), "secret\nsecond line\n");
        CloudInit fromFile = options("--password-file", file.toString()).seed().orElseThrow();
        CloudInit direct = options("--password", "secret").seed().orElseThrow();
        // The hash's salt is made of the password.
        assertThat(file(fromFile, "user-data")).isEqualTo(file(direct, "user-data"));
    }

    @Test
    void aPasswordWithoutAValueComesFromTheEnvironment() {
        assertThat(CloudInitOptions.ask(Map.of("KAGAMI_PASSWORD", "secret"))).isEqualTo("secret");
    }

    @Test
    void aPasswordThatIsNowhereIsAnErrorThatSaysWhereItCouldBe() {
        assertThatThrownBy(() -> CloudInitOptions.ask(Map.of()))
                .isInstanceOfSatisfying(
                        KagamiException.class,
                        e -> assertThat(e.hint()).contains("KAGAMI_PASSWORD", "--password-file"));
    }

    @Test
    void twoPasswordsAreRefused() {
        assertThatThrownBy(() ->
                        options("--password", "a", "--password-file", "/none").seed())
                .isInstanceOfSatisfying(
                        KagamiException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_CONFIGURATION))
                .hasMessageContainingAll("--password", "--password-file");
    }

    @Test
    void aFileThatIsNotThereIsNamed() {
        assertThatThrownBy(() -> options("--cloud-init", "/no/such/user-data").seed())
                .isInstanceOfSatisfying(
                        KagamiException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.FILE_UNREADABLE))
                .hasMessageContaining("/no/such/user-data");
    }
}
