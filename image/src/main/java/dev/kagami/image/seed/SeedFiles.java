package dev.kagami.image.seed;

import dev.kagami.image.ImageException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** Makes the files of a NoCloud seed. */
public final class SeedFiles {

    private static final String USER_DATA = "user-data";
    private static final String META_DATA = "meta-data";
    private static final String NETWORK_CONFIG = "network-config";
    private static final String VENDOR_DATA = "vendor-data";

    private static final Pattern HOST_LABEL = Pattern.compile("[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?");
    private static final int MAX_HOSTNAME = 253;

    /** What useradd(8) takes. */
    private static final Pattern USER = Pattern.compile("[a-z_][a-z0-9_-]{0,31}");

    private static final int MAX_PASSWORD = 255;
    private static final Pattern SSH_KEY =
            Pattern.compile("(\\S+ )?(ssh|ecdsa|sk-ssh|sk-ecdsa)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/]{16,}={0,2}( .*)?");
    private static final int MAX_SSH_KEY = 16 << 10;
    private static final int INSTANCE_ID_CHARACTERS = 16;

    /** How user-data begins so that cloud-init does something with it (cloud-init, "User-data formats"). */
    private static final List<String> HEADERS = List.of(
            "#cloud-config",
            "#!",
            "#include",
            "#cloud-boothook",
            "#part-handler",
            "#upstart-job",
            "## template:",
            "#cloud-config-archive",
            "content-type:",
            "mime-version:");

    private static final int GZIP_MAGIC = 0x1F8B;

    /**
     * What is in a seed.
     *
     * @param userData a whole file
     * @param metaData a whole file
     * @param networkConfig a whole file
     * @param vendorData a whole file
     * @param hostname the guest's name
     * @param user who gets the password and the keys
     * @param password the user's password
     * @param sshKeys the user's public keys
     */
    public record Settings(
            Optional<byte[]> userData,
            Optional<byte[]> metaData,
            Optional<byte[]> networkConfig,
            Optional<byte[]> vendorData,
            Optional<String> hostname,
            Optional<String> user,
            Optional<String> password,
            List<String> sshKeys) {

        private boolean hasOptions() {
            return hostname.isPresent() || user.isPresent() || password.isPresent() || !sshKeys.isEmpty();
        }
    }

    private SeedFiles() {}

    /**
     * Returns the files by name.
     *
     * @throws ImageException if the settings make no sense
     */
    public static Map<String, byte[]> of(Settings settings) {
        check(settings);
        Map<String, byte[]> files = new TreeMap<>();
        settings.userData().ifPresent(content -> files.put(USER_DATA, content));
        settings.networkConfig().ifPresent(content -> files.put(NETWORK_CONFIG, content));
        settings.vendorData().ifPresent(content -> files.put(VENDOR_DATA, content));
        if (settings.hasOptions()) {
            files.put(settings.userData().isPresent() ? VENDOR_DATA : USER_DATA, utf8(cloudConfig(settings)));
        }
        // NoCloud is a seed only with both of these.
        files.putIfAbsent(USER_DATA, utf8("#cloud-config\n{}\n"));
        files.put(META_DATA, settings.metaData().orElseGet(() -> metaData(settings, files)));
        return files;
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String cloudConfig(Settings settings) {
        Map<String, Object> config = new LinkedHashMap<>();
        settings.hostname().ifPresent(name -> {
            config.put("hostname", name);
            // Else sudo complains that it can't resolve the name.
            config.put("manage_etc_hosts", "localhost");
        });
        String context = settings.user().orElse("") + " " + settings.hostname().orElse("");
        Optional<String> hash = settings.password().map(password -> Sha512Crypt.hash(password, context));
        if (settings.user().isPresent()) {
            config.put("users", List.of(user(settings.user().get(), hash, settings.sshKeys())));
            if (settings.user().get().equals("root")) {
                config.put("disable_root", false);
            }
        } else {
            hash.ifPresent(value -> config.put("password", value));
            if (!settings.sshKeys().isEmpty()) {
                config.put("ssh_authorized_keys", settings.sshKeys());
            }
        }
        if (hash.isPresent()) {
            config.put("chpasswd", Map.of("expire", false));
            config.put("ssh_pwauth", true);
        }
        return "#cloud-config\n" + Yaml.write(config);
    }

    private static Map<String, Object> user(String name, Optional<String> hash, List<String> sshKeys) {
        Map<String, Object> user = new LinkedHashMap<>();
        user.put("name", name);
        if (!name.equals("root")) {
            user.put("shell", "/bin/bash");
            user.put("sudo", "ALL=(ALL) NOPASSWD:ALL");
        }
        user.put("lock_passwd", hash.isEmpty());
        // Unlike "passwd" it is also set for a user who is there already.
        hash.ifPresent(value -> user.put("hashed_passwd", value));
        if (!sshKeys.isEmpty()) {
            user.put("ssh_authorized_keys", sshKeys);
        }
        return user;
    }

    private static byte[] metaData(Settings settings, Map<String, byte[]> files) {
        Map<String, Object> metaData = new LinkedHashMap<>();
        metaData.put("instance-id", "kagami-" + digest(files).substring(0, INSTANCE_ID_CHARACTERS));
        settings.hostname().ifPresent(name -> metaData.put("local-hostname", name));
        return utf8(Yaml.write(metaData));
    }

    private static String digest(Map<String, byte[]> files) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            files.forEach((name, content) -> {
                digest.update(utf8(name));
                digest.update(
                        ByteBuffer.allocate(Long.BYTES).putLong(content.length).flip());
                digest.update(content);
            });
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("Every Java platform has SHA-256", e);
        }
    }

    private static void check(Settings settings) {
        settings.userData().ifPresent(SeedFiles::checkUserData);
        settings.hostname().ifPresent(SeedFiles::checkHostname);
        settings.user().ifPresent(name -> {
            if (!USER.matcher(name).matches()) {
                throw ImageException.invalidSeed(
                        "\"" + printable(name) + "\" can't be the name of a user",
                        "Use up to 32 lower-case letters, digits, - and _, with a letter first.");
            }
        });
        settings.password().ifPresent(password -> {
            if (password.isEmpty()
                    || password.length() > MAX_PASSWORD
                    || password.chars().anyMatch(Character::isISOControl)) {
                throw ImageException.invalidSeed(
                        "A password is empty, too long or has control characters",
                        "Use 1 to " + MAX_PASSWORD + " printable characters.");
            }
        });
        settings.sshKeys().forEach(key -> checkKey(key, "An ssh key"));
        if (settings.hasOptions()
                && settings.userData().isPresent()
                && settings.vendorData().isPresent()) {
            throw ImageException.invalidSeed(
                    "With both a user-data and a vendor-data file there is no place for host name, user, password or keys",
                    "Put them into the user-data file.");
        }
    }

    private static void checkUserData(byte[] content) {
        if (content.length == 0
                || (content.length > 1 && ByteBuffer.wrap(content).getShort() == (short) GZIP_MAGIC)) {
            return;
        }
        int start = 0;
        while (start < content.length && Character.isWhitespace(content[start])) {
            start++;
        }
        String text = new String(content, start, Math.min(64, content.length - start), StandardCharsets.ISO_8859_1);
        if (HEADERS.stream().noneMatch(header -> text.regionMatches(true, 0, header, 0, header.length()))) {
            throw ImageException.invalidSeed(
                    "The user-data begins with \""
                            + printable(text.lines().findFirst().orElse("")) + "\", and cloud-init would ignore it",
                    "Begin it with the line #cloud-config, or with #! for a script.");
        }
    }

    private static void checkHostname(String name) {
        boolean sound = !name.isEmpty() && name.length() <= MAX_HOSTNAME;
        for (String label : name.split("\\.", -1)) {
            sound &= HOST_LABEL.matcher(label).matches();
        }
        if (!sound) {
            throw ImageException.invalidSeed(
                    "\"" + printable(name) + "\" can't be a host name",
                    "Use letters, digits and hyphens, and dots between them.");
        }
    }

    /**
     * Returns the public keys in a text, one for each line that isn't empty or a comment.
     *
     * @param text the text
     * @param where it comes from, for messages
     * @throws ImageException if there is something else, or nothing
     */
    public static List<String> keys(String text, String where) {
        List<String> keys = new ArrayList<>();
        for (String line : text.lines().map(String::strip).toList()) {
            if (!line.isEmpty() && !line.startsWith("#")) {
                checkKey(line, where);
                keys.add(line);
            }
        }
        if (keys.isEmpty()) {
            throw ImageException.invalidSeed(where + " holds no ssh key", "Pass a file such as ~/.ssh/id_ed25519.pub.");
        }
        return keys;
    }

    private static void checkKey(String key, String where) {
        if (key.contains("PRIVATE KEY")) {
            throw ImageException.invalidSeed(
                    where + " is a private key, which must not leave this machine",
                    "Pass the public one, from the file of the same name with .pub at its end.");
        }
        if (key.length() > MAX_SSH_KEY || !SSH_KEY.matcher(key).matches()) {
            throw ImageException.invalidSeed(
                    where + " isn't a public key for ssh: \"" + printable(key) + "\"",
                    "Pass a line such as \"ssh-ed25519 AAAA... name\", as in ~/.ssh/id_ed25519.pub.");
        }
    }

    private static String printable(String text) {
        String plain = text.replaceAll("[^\\x20-\\x7E]", "?");
        return plain.length() <= 40 ? plain : plain.substring(0, 40) + "...";
    }
}
