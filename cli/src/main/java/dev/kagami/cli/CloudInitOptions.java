package dev.kagami.cli;

import dev.kagami.vm.CloudInit;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import java.io.BufferedReader;
import java.io.Console;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What the options say about cloud-init in the guest. */
final class CloudInitOptions {
    static final String HEADING = "%nFor a guest with cloud-init, such as a cloud image:%n";

    /** Where a password comes from when it isn't on the command line, which other users of the host can read. */
    static final String PASSWORD_VARIABLE = "KAGAMI_PASSWORD";

    /** How a key begins, and no file's name that anybody would choose. */
    private static final Pattern KEY = Pattern.compile("(ssh|ecdsa|sk)-\\S+ ");

    /** The value of an option without a value. */
    private static final String ASK = "";

    @Option(names = "--hostname", paramLabel = "NAME", description = "The guest's host name.")
    private @Nullable String hostname;

    @Option(
            names = "--user",
            paramLabel = "NAME",
            description = "The user who gets the password and the keys and may use sudo. Default: the image's own, such"
                    + " as debian.")
    private @Nullable String user;

    @Option(
            names = "--password",
            arity = "0..1",
            paramLabel = "PASSWORD",
            fallbackValue = ASK,
            description =
                    "The user's password, also over ssh. As users of this host see each other's command lines, give"
                            + " no value: then it comes from the environment's " + PASSWORD_VARIABLE
                            + ", or you are asked.")
    private @Nullable String password;

    @Option(
            names = "--password-file",
            paramLabel = "FILE",
            description = "A file whose first line is the user's password.")
    private @Nullable Path passwordFile;

    @Option(
            names = "--ssh-key",
            paramLabel = "FILE",
            description =
                    "A file with public keys that may log in over ssh, such as ~/.ssh/id_ed25519.pub; or such a key"
                            + " itself; may be repeated.")
    private List<String> sshKeys = new ArrayList<>();

    @Option(
            names = {"--cloud-init", "--user-data"},
            paramLabel = "FILE",
            description = "User-data, for example a #cloud-config document; it wins over the options above.")
    private @Nullable Path userData;

    @Option(
            names = "--meta-data",
            paramLabel = "FILE",
            description = "Meta-data. Default: the host name, and an id that changes with everything said here.")
    private @Nullable Path metaData;

    @Option(
            names = "--network-config",
            paramLabel = "FILE",
            description = "Network configuration, version 1 or 2. Default: none, which means DHCP.")
    private @Nullable Path networkConfig;

    @Option(names = "--vendor-data", paramLabel = "FILE", description = "Vendor-data.")
    private @Nullable Path vendorData;

    /** {@return whether any of the options was given} */
    boolean isGiven() {
        return !sshKeys.isEmpty()
                || Stream.of(hostname, user, password, passwordFile, userData, metaData, networkConfig, vendorData)
                        .anyMatch(value -> value != null);
    }

    /**
     * Makes the seed; asks for the password if need be.
     *
     * @return the seed; empty when none of the options was given
     */
    Optional<CloudInit> seed() {
        return isGiven() ? Optional.of(CloudInit.of(this::describe)) : Optional.empty();
    }

    /** {@return the password that the user is asked for, or that comes from the environment, if so} */
    Optional<String> askedPassword() {
        if (ASK.equals(password)) {
            password = ask(System.getenv());
            return Optional.of(password);
        }
        return Optional.empty();
    }

    private void describe(CloudInit.Builder seed) {
        if (hostname != null) {
            seed.hostname(hostname);
        }
        if (user != null) {
            seed.user(user);
        }
        if (password != null && passwordFile != null) {
            throw invalid("--password and --password-file exclude each other", "leave out one of them");
        }
        if (passwordFile != null) {
            seed.password(firstLine(passwordFile));
        } else if (password != null) {
            seed.password(password.equals(ASK) ? ask(System.getenv()) : password);
        }
        for (String key : sshKeys) {
            if (KEY.matcher(key).lookingAt()) {
                seed.sshKey(key);
            } else {
                seed.sshKeys(Path.of(key));
            }
        }
        if (userData != null) {
            seed.userData(userData);
        }
        if (metaData != null) {
            seed.metaData(metaData);
        }
        if (networkConfig != null) {
            seed.networkConfig(networkConfig);
        }
        if (vendorData != null) {
            seed.vendorData(vendorData);
        }
    }

    private static String firstLine(Path file) {
        try (BufferedReader reader = Files.newBufferedReader(file)) {
            String line = reader.readLine();
            return line == null ? "" : line;
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.FILE_UNREADABLE,
                    "--password-file %s: can't be read (%s)".formatted(file, e),
                    "name a text file that you may read",
                    e);
        }
    }

    /**
     * Finds the password that isn't on the command line.
     *
     * @param environment the process's
     * @return the password
     * @throws KagamiException when it isn't in the environment and there is nobody to ask
     */
    static String ask(Map<String, String> environment) {
        String given = environment.get(PASSWORD_VARIABLE);
        if (given != null) {
            return given;
        }
        Console console = System.console();
        char[] typed = console == null ? null : console.readPassword("Password for the guest's user: ");
        if (typed == null) {
            throw invalid(
                    "--password has no value, and there is no terminal to ask for one",
                    "set %s in the environment, or use --password-file FILE".formatted(PASSWORD_VARIABLE));
        }
        return new String(typed);
    }

    private static KagamiException invalid(String message, String hint) {
        return new KagamiException(ErrorCode.INVALID_CONFIGURATION, message, hint);
    }
}
