package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.ResourceLock;

/**
 * Runs the examples as their readers would: copies of them, by Maven, with the artifacts of this build as the local repository
 * would have them. What else Maven needs comes from the local repository of this build, or from where that gets it.
 */
@Timeout(600)
@ResourceLock("maven")
final class ExamplesTest {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final Path REPOSITORY =
            Path.of("target", "examples-repository").toAbsolutePath();
    private static final Pattern ARTIFACT = Pattern.compile("<artifactId>(kagami[a-z0-9-]*)</artifactId>");
    private static final String VERSION = "0.1.0-SNAPSHOT";
    private static final int MAX_POM_LINES = 20;
    private static final int MAX_PROGRAM_LINES = 15;

    @TempDir
    private Path directory;

    /** Does what install would, with what package has made. */
    @BeforeAll
    static void fillRepository() throws IOException {
        install("kagami-parent", ROOT.resolve("pom.xml"), null);
        try (Stream<Path> modules = Files.list(ROOT)) {
            for (Path module : modules.filter(path -> Files.exists(path.resolve("pom.xml")))
                    .toList()) {
                String pom = Files.readString(module.resolve("pom.xml"));
                // A module's own name comes behind its parent's.
                Matcher names = ARTIFACT.matcher(pom.replace("<artifactId>kagami-parent</artifactId>", ""));
                if (names.find()) {
                    install(
                            names.group(1),
                            module.resolve("pom.xml"),
                            module.resolve("target").resolve(names.group(1) + "-" + VERSION + ".jar"));
                }
            }
        }
    }

    private static void install(String artifact, Path pom, Path jar) throws IOException {
        Path target = Files.createDirectories(REPOSITORY.resolve("dev/kagami/" + artifact + "/" + VERSION));
        String name = artifact + "-" + VERSION;
        Files.copy(pom, target.resolve(name + ".pom"), StandardCopyOption.REPLACE_EXISTING);
        if (jar != null && Files.exists(jar)) {
            Files.copy(jar, target.resolve(name + ".jar"), StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private Path copy(String example) throws IOException {
        Path source = ROOT.resolve("examples").resolve(example);
        Path target = directory.resolve(example);
        Files.walkFileTree(source, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes attributes) throws IOException {
                if (path.endsWith("target")) {
                    return FileVisitResult.SKIP_SUBTREE;
                }
                Files.createDirectories(target.resolve(source.relativize(path)));
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path path, BasicFileAttributes attributes) throws IOException {
                Files.copy(path, target.resolve(source.relativize(path)));
                return FileVisitResult.CONTINUE;
            }
        });
        return target;
    }

    private static String maven(Path project, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                ROOT.resolve("mvnw").toString(),
                "--batch-mode",
                "--no-transfer-progress",
                "-Dmaven.repo.local=" + REPOSITORY,
                "-Dmaven.repo.local.tail=" + System.getProperty("kagami.test.repository"),
                "-Dmaven.repo.local.tail.ignoreAvailability=true"));
        command.addAll(List.of(arguments));
        ProcessBuilder builder =
                new ProcessBuilder(command).directory(project.toFile()).redirectErrorStream(true);
        // As its reader has it: not with what this build was started with.
        builder.environment().remove("MAVEN_ARGS");
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        Path log = project.resolve("maven.log");
        Process maven = builder.redirectOutput(log.toFile()).start();
        try {
            assertThat(maven.waitFor(500, TimeUnit.SECONDS)).isTrue();
        } finally {
            maven.descendants().forEach(ProcessHandle::destroyForcibly);
            maven.destroyForcibly();
        }
        String output = Files.readString(log);
        assertThat(maven.exitValue()).as(output).isZero();
        return output;
    }

    @Test
    void theFirstExampleIsShortAndPrintsWhatTheGuestSays() throws Exception {
        Guests.cloud();
        Path project = copy("hello");
        assertThat(Files.readAllLines(project.resolve("pom.xml"))).hasSizeLessThanOrEqualTo(MAX_POM_LINES);
        Path program = project.resolve("src/main/java/Hello.java");
        assertThat(Files.readAllLines(program)).hasSizeLessThanOrEqualTo(MAX_PROGRAM_LINES);
        assertThat(Files.readString(ROOT.resolve("README.md"))).contains(Files.readString(program));
        assertThat(maven(project, "--quiet", "compile", "exec:java", "-Dexec.mainClass=Hello"))
                .startsWith("Linux x86_64\n");
    }

    @Test
    void aTestWithTwoMachinesOnANetworkPasses() throws Exception {
        Guests.cloud();
        Path project = copy("network-test");
        assertThat(Files.readAllLines(project.resolve("pom.xml"))).hasSizeLessThanOrEqualTo(MAX_POM_LINES);
        assertThat(maven(project, "test")).contains("Tests run: 2, Failures: 0, Errors: 0, Skipped: 0");
    }

    @Test
    void aTestWithADatabaseInAMachinePasses() throws Exception {
        Guests.cloud();
        Path project = copy("database-test");
        assertThat(Files.readAllLines(project.resolve("pom.xml"))).hasSizeLessThanOrEqualTo(MAX_POM_LINES);
        assertThat(maven(project, "test")).contains("Tests run: 3, Failures: 0, Errors: 0, Skipped: 0");
    }
}
