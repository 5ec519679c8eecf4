package dev.kagami.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.block.BlockImage;
import dev.kagami.block.DiskImages;
import dev.kagami.block.ImageFormat;
import dev.kagami.block.ImageOptions;
import dev.kagami.block.OpenOptions;
import dev.kagami.block.Overlay;
import dev.kagami.image.ImageException.Code;
import dev.kagami.image.fetch.Download;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

@Timeout(120)
final class ImageCacheTest {

    private static final Download.Patience QUICK =
            new Download.Patience(Duration.ofSeconds(10), Duration.ofSeconds(30), Duration.ofMillis(5));

    @TempDir
    private Path directory;

    private FileServer server;
    private ImageCache cache;

    @BeforeEach
    void start() throws IOException {
        server = new FileServer();
        cache = new ImageCache(directory.resolve("cache"), QUICK);
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    /** Returns a raw disk: bytes without order, and zeros in the middle and at the end. */
    private static byte[] disk(int seed) {
        byte[] disk = new byte[3 << 20];
        new Random(seed).nextBytes(disk);
        Arrays.fill(disk, 1 << 20, 2 << 20, (byte) 0);
        Arrays.fill(disk, disk.length - 4096, disk.length, (byte) 0);
        return disk;
    }

    private ImageCache.Image get(URI source) {
        return cache.get(source, null, ProgressListener.none());
    }

    private static String hex(String algorithm, byte[] content) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance(algorithm).digest(content));
    }

    private static void assertCode(Code code, ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        ImageException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    private byte[] qcow2(String... backing) throws IOException {
        Path file = directory.resolve("made.qcow2");
        Files.deleteIfExists(file);
        if (backing.length > 0) {
            Overlay.create(file, Path.of(backing[0]), ImageFormat.RAW, null);
        } else {
            DiskImages.create(file, 1 << 20, ImageOptions.qcow2());
            try (BlockImage image = DiskImages.open(file, OpenOptions.readWrite())) {
                image.write(0, MemorySegment.ofArray(new byte[512]));
            }
        }
        return Files.readAllBytes(file);
    }

    @Test
    void anImageIsFetchedOnceAndCanOnlyBeRead() throws Exception {
        byte[] disk = disk(1);
        URI source = server.put("/disk.raw", disk);
        ImageCache.Image image = get(source);
        assertThat(get(source).file()).isEqualTo(image.file()).hasBinaryContent(disk);
        assertThat(server.requests()).hasSize(1);
        assertThat(Files.getPosixFilePermissions(image.file()))
                .noneMatch(p -> p.name().endsWith("WRITE"));
        assertThat(image.format()).isEqualTo(ImageFormat.RAW);
        assertThat(image.digest()).isEqualTo("sha256:" + hex("SHA-256", disk));
    }

    @Test
    void aDamagedImageIsNoticedAndFetchedAgain() throws Exception {
        byte[] disk = disk(2);
        URI source = server.put("/disk.raw", disk);
        Path file = get(source).file();
        assertThat(file.toFile().setWritable(true)).isTrue();
        byte[] damaged = disk.clone();
        damaged[12_345] ^= 1;
        Files.write(file, damaged);
        assertThat(get(source).file()).hasBinaryContent(disk);
        assertThat(server.requests()).hasSize(2);
    }

    @Test
    void aCutConnectionIsTakenUpWhereItWasCut() throws Exception {
        byte[] disk = disk(3);
        server.cutAfter = 500_000;
        server.cuts = 3;
        assertThat(get(server.put("/disk.raw", disk)).file()).hasBinaryContent(disk);
        assertThat(server.requests().stream().map(ImageCacheTest::rangeStart))
                .hasSize(4)
                .isSorted()
                .doesNotHaveDuplicates();
    }

    @Test
    void aLaterFetchGoesOnWhereTheLastOneGaveUp() throws Exception {
        byte[] disk = disk(4);
        URI source = server.put("/disk.raw", disk);
        server.cutAfter = 1_000_000;
        server.cuts = 1;
        server.status = 503;
        server.onCut = () -> server.failures = 100;
        assertCode(Code.DOWNLOAD_FAILED, () -> get(source));
        server.failures = 0;
        int before = server.requests().size();
        assertThat(get(source).file()).hasBinaryContent(disk);
        assertThat(rangeStart(server.requests().get(before))).isGreaterThan(500_000);
    }

    @Test
    void aServerWithoutRangesSendsAllAgain() throws Exception {
        byte[] disk = disk(5);
        server.ranges = false;
        server.cutAfter = 1_000_000;
        server.cuts = 2;
        assertThat(get(server.put("/disk.raw", disk)).file()).hasBinaryContent(disk);
    }

    @Test
    void aServerWithoutValidatorsSendsAllAgain() throws Exception {
        byte[] disk = disk(6);
        server.entityTag = "";
        server.cutAfter = 1_000_000;
        server.cuts = 2;
        assertThat(get(server.put("/disk.raw", disk)).file()).hasBinaryContent(disk);
        assertThat(server.requests()).allMatch(r -> !r.headers().containsKey("range"));
    }

    @Test
    void aFileThatChangesBetweenTwoPartsIsFetchedAnew() throws Exception {
        for (boolean heeded : new boolean[] {true, false}) {
            byte[] old = disk(7);
            byte[] current = disk(8);
            server.ifRange = heeded;
            server.entityTag = "\"old\"";
            URI source = server.put("/disk-%s.raw".formatted(heeded), old);
            server.cutAfter = 1_000_000;
            server.cuts = 1;
            server.onCut = () -> {
                server.entityTag = "\"new\"";
                server.put(source.getPath(), current);
            };
            assertThat(get(source).file()).hasBinaryContent(current);
        }
    }

    @Test
    void aSilentServerIsGivenUpWhatCameIsNot() throws Exception {
        cache = new ImageCache(
                directory.resolve("cache"),
                new Download.Patience(Duration.ofSeconds(10), Duration.ofMillis(300), Duration.ofMillis(5)));
        byte[] disk = disk(9);
        server.cutAfter = 1_000_000;
        server.cuts = 1;
        server.stall = true;
        assertThat(get(server.put("/disk.raw", disk)).file()).hasBinaryContent(disk);
        assertThat(rangeStart(server.requests().getLast())).isGreaterThan(500_000);
    }

    @Test
    void aMissingFileIsAnErrorAtOnceThatNamesTheAddressAndTheStatus() {
        URI source = server.put("/disk.raw", disk(10)).resolve("other.raw");
        assertThatThrownBy(() -> get(source)).hasMessageContainingAll(source.toString(), "404");
        assertThat(server.requests()).hasSize(1);
    }

    @Test
    void aServerThatIsBusyIsAskedAgain() {
        server.status = 503;
        server.failures = 2;
        assertThat(get(server.put("/disk.raw", disk(11))).file()).exists();
    }

    @Test
    void aServerThatIsNotThereIsNamed() throws Exception {
        int port;
        try (ServerSocket nobody = new ServerSocket(0)) {
            port = nobody.getLocalPort();
        }
        URI source = URI.create("http://127.0.0.1:%d/disk.raw".formatted(port));
        assertThatThrownBy(() -> get(source)).hasMessageContaining(source.toString());
    }

    @Test
    void digestsAreCheckedInEveryForm() throws Exception {
        byte[] disk = disk(13);
        URI source = server.put("/images/disk.raw", disk);
        String sha256 = hex("SHA-256", disk);
        String sha512 = hex("SHA-512", disk);
        server.put(
                "/images/SHA256SUMS", ("%s *other.raw%n%s *disk.raw%n".formatted("0".repeat(64), sha256)).getBytes());
        server.put("/images/SHA512SUMS", ("SHA512 (disk.raw) = %s%n".formatted(sha512)).getBytes());
        Path local = Files.writeString(directory.resolve("sums"), sha512 + "  ./disk.raw\n");
        for (String digest :
                List.of("sha256:" + sha256, "sha512:" + sha512, "SHA256SUMS", "SHA512SUMS", local.toString())) {
            assertThat(cache.get(source, digest, ProgressListener.none()).file())
                    .as(digest)
                    .hasBinaryContent(disk);
        }
        assertThat(server.requests().stream().filter(r -> r.path().endsWith(".raw")))
                .hasSize(1);
    }

    @Test
    void aWrongDigestIsRefusedAndNothingIsKept() throws Exception {
        URI source = server.put("/disk.raw", disk(14));
        String wrong = "sha256:" + "0".repeat(64);
        assertCode(Code.DIGEST_MISMATCH, () -> cache.get(source, wrong, ProgressListener.none()));
        assertThat(cache.list()).isEmpty();
        get(source);
        assertCode(Code.DIGEST_MISMATCH, () -> cache.get(source, wrong, ProgressListener.none()));
        // What was there before still is.
        assertThat(cache.list()).hasSize(1);
    }

    @Test
    void aDigestThatNobodyHasIsAnErrorThatSaysWhatToPass() {
        URI source = server.put("/disk.raw", disk(15));
        server.put("/EMPTY", new byte[0]);
        for (String digest : List.of("EMPTY", "/no/such/file", "sha256:12", "http://[")) {
            assertThatThrownBy(() -> cache.get(source, digest, ProgressListener.none()))
                    .as(digest)
                    .isInstanceOf(ImageException.class);
        }
    }

    @Test
    void archivesAreUnpackedAndTheirDigestIsTheArchives() throws Exception {
        byte[] disk = disk(16);
        byte[] tar = tar("README", "hello".getBytes(), "disk.raw", disk);
        int number = 0;
        for (byte[] archive : List.of(gzip(disk), xz(disk), gzip(tar), xz(tar))) {
            URI source = server.put("/%d.pack".formatted(number++), archive);
            ImageCache.Image image = cache.get(source, "sha512:" + hex("SHA-512", archive), ProgressListener.none());
            assertThat(image.file()).hasBinaryContent(disk);
        }
        assertThat(cache.list()).hasSize(4);
    }

    @Test
    void qcow2IsKnownByItsContents() throws Exception {
        assertThat(get(server.put("/noble.img", qcow2())).format()).isEqualTo(ImageFormat.QCOW2);
        assertThat(get(server.put("/a.tar.gz", gzip(tar("x.img", qcow2())))).format())
                .isEqualTo(ImageFormat.QCOW2);
    }

    @Test
    void anImageThatShowsAFileOfTheHostIsRefused() throws Exception {
        Path secret = Files.write(directory.resolve("secret"), new byte[1 << 20]);
        byte[] image = qcow2(secret.toString());
        assertCode(Code.DISK_INVALID, () -> get(server.put("/evil.qcow2", image)));
    }

    @Test
    void whatIsNoImageIsRefused() throws Exception {
        byte[] damaged = gzip(disk(17));
        damaged[damaged.length / 2] ^= 0x55;
        byte[] shortened = Arrays.copyOf(xz(disk(18)), 100_000);
        for (byte[] content : List.of(
                "<!DOCTYPE html><html>".getBytes(),
                "hello".getBytes(),
                new byte[0],
                "KDMV".repeat(200).getBytes(),
                damaged,
                shortened,
                gzip(tar("README", "hello".getBytes())),
                gzip(tar("a.raw", disk(19), "b.raw", disk(20))),
                gzip(new byte[0]))) {
            assertCode(Code.ARCHIVE_INVALID, () -> get(server.put("/x", content)));
        }
        assertThat(files()).allMatch(file -> file.endsWith("lock"));
    }

    @Test
    void namesAndLinksInArchivesLeadNowhere() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
            TarArchiveEntry link = new TarArchiveEntry("disk.raw", TarConstants.LF_SYMLINK);
            link.setLinkName(directory.resolve("victim").toString());
            tar.putArchiveEntry(link);
            tar.closeArchiveEntry();
            TarArchiveEntry file = new TarArchiveEntry("../../../victim.raw", true);
            file.setSize(512);
            tar.putArchiveEntry(file);
            tar.write(new byte[512]);
            tar.closeArchiveEntry();
        }
        Path image = get(server.put("/evil.tar.gz", gzip(bytes.toByteArray()))).file();
        assertThat(image).startsWith(directory.resolve("cache")).hasBinaryContent(new byte[512]);
        assertThat(directory.resolve("victim")).doesNotExist();
    }

    @Test
    void zerosTakeNoSpaceWhenUnpacked() throws Exception {
        Path image = get(server.put("/zeros.gz", gzip(new byte[64 << 20]))).file();
        assertThat(Files.size(image)).isEqualTo(64 << 20);
        assertThat(((Number) Files.getAttribute(image, "unix:nlink")).intValue())
                .isEqualTo(1);
        Process du = new ProcessBuilder("du", "-k", image.toString()).start();
        String text = new String(du.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
        assertThat(Long.parseLong(text.split("\\s")[0])).isLessThan(1024);
    }

    @Test
    void aLocalFileIsCopiedAndCopiedAgainWhenItChanges() throws Exception {
        Path file = Files.write(directory.resolve("my disk.raw"), disk(21));
        URI source = ImageCache.source(file.toString());
        assertThat(source).isEqualTo(ImageCache.source(file.toUri().toString()));
        Path first = get(source).file();
        assertThat(get(source).file()).isEqualTo(first);
        byte[] other = Arrays.copyOf(disk(22), 1 << 20);
        Files.write(file, other);
        assertThat(get(source).file()).hasBinaryContent(other);
        Files.delete(file);
        assertThatThrownBy(() -> get(source)).hasMessageContaining(file.toString());
    }

    @Test
    void addressesOfOtherKindsAreRefused() {
        for (String text : List.of("ftp://host/x", "http://", "file://host/x", "http://user@host/x", "http://[")) {
            assertThatThrownBy(() -> ImageCache.source(text)).as(text).isInstanceOf(ImageException.class);
        }
    }

    @Test
    void refreshAsksOnlyForWhatHasChanged() {
        URI source = server.put("/disk.raw", disk(23));
        Path first = get(source).file();
        assertThat(cache.refresh(source, null, ProgressListener.none()).file()).isEqualTo(first);
        assertThat(server.requests().getLast().headers()).containsEntry("if-none-match", "\"1\"");
        server.entityTag = "\"2\"";
        byte[] newer = disk(24);
        server.put("/disk.raw", newer);
        assertThat(cache.refresh(source, null, ProgressListener.none()).file()).hasBinaryContent(newer);
        // An overlay may rest on it.
        assertThat(first).exists();
    }

    @Test
    void pruningLeavesWhatSomethingRestsOn() {
        URI one = server.put("/one.raw", disk(25));
        URI two = server.put("/two.raw", disk(26));
        Path kept = get(one).file();
        Path gone = get(two).file();
        assertThat(cache.prune(Set.of(), Instant.now().minusSeconds(60))).isEmpty();
        List<ImageCache.Pruned> pruned = cache.prune(Set.of(kept), Instant.now().plusSeconds(60));
        assertThat(pruned).containsExactly(new ImageCache.Pruned(two, 3 << 20));
        assertThat(gone).doesNotExist();
        assertThat(kept).exists();
        assertThat(cache.list()).extracting(ImageCache.Image::source).containsExactly(one);
        assertThat(get(two).file()).exists();
    }

    @Test
    void manyWhoAskAtOnceFetchOnce() throws Exception {
        URI source = server.put("/disk.raw", disk(27));
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Path>> tasks = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                tasks.add(() -> get(source).file());
            }
            for (Future<Path> file : threads.invokeAll(tasks)) {
                assertThat(file.get()).exists();
            }
        }
        assertThat(server.requests()).hasSize(1);
    }

    @Test
    void progressIsToldInBytes() {
        List<String> heard = new ArrayList<>();
        cache.get(server.put("/disk.raw", disk(28)), null, (phase, fraction) -> heard.add(phase + " " + fraction));
        assertThat(heard).anyMatch(text -> text.startsWith("Fetching disk.raw 0."));
    }

    /** The client may not see the last bytes that came before a cut. */
    private static long rangeStart(FileServer.Request request) {
        String range = request.headers().getOrDefault("range", "bytes=0-");
        return Long.parseLong(range.substring("bytes=".length(), range.length() - 1));
    }

    private List<String> files() throws IOException {
        try (Stream<Path> walk = Files.walk(directory.resolve("cache"))) {
            return walk.filter(Files::isRegularFile).map(Path::toString).toList();
        }
    }

    private interface Packer {
        OutputStream over(OutputStream out) throws IOException;
    }

    private static byte[] pack(byte[] content, Packer packer) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (OutputStream out = packer.over(bytes)) {
            out.write(content);
        }
        return bytes.toByteArray();
    }

    private static byte[] gzip(byte[] content) throws IOException {
        return pack(content, GZIPOutputStream::new);
    }

    private static byte[] xz(byte[] content) throws IOException {
        return pack(content, out -> new XZOutputStream(out, new LZMA2Options(0)));
    }

    private static byte[] tar(Object... namesAndContents) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
            for (int i = 0; i < namesAndContents.length; i += 2) {
                byte[] content = (byte[]) namesAndContents[i + 1];
                TarArchiveEntry entry = new TarArchiveEntry((String) namesAndContents[i]);
                entry.setSize(content.length);
                tar.putArchiveEntry(entry);
                tar.write(content);
                tar.closeArchiveEntry();
            }
        }
        return bytes.toByteArray();
    }
}
