package dev.kagami.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.kagami.block.BlockImage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CloudInitSeedTest {

    private static final String KEY =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdkLaxy5ll7Bs0yL/E5FRAjyttHzoPPGZ2RL/ULibRm me@here";

    @TempDir
    private Path directory;

    @Test
    void describesTheDefaultUser() {
        CloudInitSeed seed = CloudInitSeed.create(
                c -> c.hostname("foobar").password("ubuntu").sshKey(KEY));

        String userData = seed.file("user-data").orElseThrow();
        assertThat(userData.replaceAll("\\$6\\$[^\"]{103}\"", "HASH\"")).isEqualTo("""
                #cloud-config
                hostname: "foobar"
                manage_etc_hosts: "localhost"
                password: "HASH"
                ssh_authorized_keys:
                - "%s"
                chpasswd:
                  expire: false
                ssh_pwauth: true
                """.formatted(KEY));
        assertThat(seed.file("meta-data").orElseThrow())
                .matches("instance-id: \"kagami-[0-9a-f]{16}\"\nlocal-hostname: \"foobar\"\n");
        assertThat(seed.files()).containsOnlyKeys("user-data", "meta-data");
    }

    @Test
    void describesAUserOfAnotherName() {
        CloudInitSeed seed = CloudInitSeed.create(c -> c.user("alice").sshKey(KEY));

        assertThat(seed.file("user-data")).hasValue("""
                #cloud-config
                users:
                - name: "alice"
                  shell: "/bin/bash"
                  sudo: "ALL=(ALL) NOPASSWD:ALL"
                  lock_passwd: true
                  ssh_authorized_keys:
                  - "%s"
                """.formatted(KEY));
    }

    @Test
    void letsRootIn() {
        String userData = CloudInitSeed.create(c -> c.user("root").password("x").sshKey(KEY))
                .file("user-data")
                .orElseThrow();

        assertThat(userData).contains("disable_root: false", "lock_passwd: false", "ssh_pwauth: true");
        assertThat(userData).doesNotContain("sudo");
    }

    @Test
    void isASeedWithoutAnySettings() {
        CloudInitSeed seed = CloudInitSeed.create(c -> {});

        assertThat(seed.file("user-data")).hasValue("#cloud-config\n{}\n");
        assertThat(seed.file("meta-data").orElseThrow()).startsWith("instance-id: ");
    }

    @Test
    void passesFilesOnAsTheyAre() throws IOException {
        Path userData = Files.writeString(directory.resolve("user"), "#!/bin/sh\nreboot\n");
        Path metaData = Files.writeString(directory.resolve("meta"), "instance-id: mine\n");
        Path network = Files.writeString(directory.resolve("net"), "version: 2\n");
        Path vendor = Files.writeString(directory.resolve("vendor"), "#cloud-config\npackages: []\n");

        CloudInitSeed seed = CloudInitSeed.create(c ->
                c.userData(userData).metaData(metaData).networkConfig(network).vendorData(vendor));

        assertThat(seed.file("user-data")).hasValue("#!/bin/sh\nreboot\n");
        assertThat(seed.file("meta-data")).hasValue("instance-id: mine\n");
        assertThat(seed.file("network-config")).hasValue("version: 2\n");
        assertThat(seed.file("vendor-data")).hasValue("#cloud-config\npackages: []\n");
    }

    @Test
    void putsSettingsBesideAFileIntoTheVendorData() {
        CloudInitSeed seed = CloudInitSeed.create(
                c -> c.userData("#cloud-config\nruncmd: []\n").hostname("a"));

        assertThat(seed.file("user-data")).hasValue("#cloud-config\nruncmd: []\n");
        assertThat(seed.file("vendor-data").orElseThrow()).startsWith("#cloud-config\nhostname: \"a\"\n");
        assertThat(seed.file("meta-data").orElseThrow()).endsWith("local-hostname: \"a\"\n");
    }

    @Test
    void refusesSettingsWhereThereIsNoPlaceForThem() throws IOException {
        Path vendor = Files.writeString(directory.resolve("vendor"), "#cloud-config\n");

        assertRefused(c -> c.userData("#cloud-config\n").vendorData(vendor).hostname("a"), "no place");
    }

    @Test
    void hasAnInstanceIdForItsContents() {
        CloudInitSeed first = CloudInitSeed.create(c -> c.hostname("a").password("p"));
        CloudInitSeed same = CloudInitSeed.create(c -> c.password("p").hostname("a"));
        CloudInitSeed other = CloudInitSeed.create(c -> c.hostname("a").password("q"));

        assertThat(same.file("meta-data")).isEqualTo(first.file("meta-data"));
        assertThat(other.file("meta-data")).isNotEqualTo(first.file("meta-data"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a_b", "-a", "a-", "a..b", ".", "a b", "a\nb", "ä"})
    void refusesNamesThatAreNoHostNames(String name) {
        assertRefused(c -> c.hostname(name), "can't be a host name");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "Alice", "0a", "a b", "a:b", "a\nb", "-a"})
    void refusesNamesThatAreNoUsers(String name) {
        assertRefused(c -> c.user(name), "can't be the name of a user");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a\nb", "a\0"})
    void refusesPasswordsThatNobodyCanType(String password) {
        assertRefused(c -> c.password(password), "password");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "ssh-ed25519",
                "ssh-ed25519 AAAA",
                "AAAAC3NzaC1lZDI1NTE5AAAAIJdkLaxy5ll7Bs0yL",
                "a\nssh-rsa B"
            })
    void refusesWhatIsNoPublicKey(String key) {
        assertRefused(c -> c.sshKey(key), "isn't a public key");
    }

    @Test
    void refusesPrivateKeys() throws IOException {
        Path file = Files.writeString(directory.resolve("id"), "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n");

        assertRefused(c -> c.sshKeys(file), "private key, which must not leave");
    }

    @Test
    void readsAuthorizedKeys() throws IOException {
        Path file = Files.writeString(directory.resolve("keys"), "# mine\n\n" + KEY + "\nrestrict " + KEY + "\n");

        assertThat(CloudInitSeed.create(c -> c.sshKeys(file)).file("user-data").orElseThrow())
                .endsWith("ssh_authorized_keys:\n- \"%s\"\n- \"restrict %s\"\n".formatted(KEY, KEY));
        Path empty = Files.writeString(directory.resolve("empty"), "# nothing\n");
        assertRefused(c -> c.sshKeys(empty), "holds no ssh key");
    }

    @Test
    void refusesUserDataThatCloudInitWouldIgnore() {
        assertRefused(c -> c.userData("hostname: a\n"), "begins with \"hostname: a\", and cloud-init would ignore it");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "#cloud-config\n",
                "\n#cloud-config\n",
                "#!/bin/sh\n",
                "## template: jinja\n#cloud-config\n",
                "Content-Type: multipart/mixed; boundary=x\n",
                "MIME-Version: 1.0\n",
                "\u001F\u008B"
            })
    void takesUserDataOfAllKinds(String text) throws IOException {
        byte[] bytes = text.getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
        Path file = Files.write(directory.resolve("user-data"), bytes);

        assertThat(CloudInitSeed.create(c -> c.userData(file)).files().get("user-data"))
                .isEqualTo(bytes);
    }

    @Test
    void refusesFilesThatAreMissingOrTooLong() throws IOException {
        assertRefused(c -> c.userData(directory.resolve("none")), "Can't read");
        Path file = directory.resolve("long");
        try (var channel = java.nio.channels.FileChannel.open(
                file, java.nio.file.StandardOpenOption.CREATE, java.nio.file.StandardOpenOption.WRITE)) {
            channel.write(java.nio.ByteBuffer.allocate(1), 17 << 20);
        }
        assertRefused(c -> c.userData(file), "longer than the 16 MiB");
    }

    @Test
    void isACdThatCloudInitKnows() {
        try (BlockImage image = CloudInitSeed.create(c -> c.hostname("a")).toImage();
                Arena arena = Arena.ofConfined()) {
            MemorySegment descriptor = arena.allocate(2048);
            image.read(16 * 2048, descriptor);

            assertThat(image.readOnly()).isTrue();
            assertThat(descriptor.getString(1).substring(0, 5)).isEqualTo("CD001");
            assertThat(new String(
                            descriptor.asSlice(40, 32).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE),
                            java.nio.charset.StandardCharsets.US_ASCII))
                    .isEqualTo("cidata                          ");
        }
    }

    private static void assertRefused(java.util.function.Consumer<CloudInitSeed.Settings> settings, String message) {
        assertThatExceptionOfType(ImageException.class)
                .isThrownBy(() -> CloudInitSeed.create(settings))
                .withMessageContaining(message)
                .satisfies(e -> {
                    assertThat(e.code()).isEqualTo(ImageException.Code.SEED_INVALID);
                    assertThat(e.hint()).isNotBlank();
                });
    }
}
