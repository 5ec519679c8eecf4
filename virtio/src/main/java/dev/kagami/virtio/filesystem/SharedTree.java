package dev.kagami.virtio.filesystem;

import dev.kagami.virtio.filesystem.Node.Place;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayDeque;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The shared directory: files by number, reached only through open directories. See the package's page for why. Used by one
 * thread.
 */
final class SharedTree implements AutoCloseable {
    /** Number of the shared directory itself. */
    static final long ROOT = 1;

    private static final Logger LOGGER = System.getLogger(SharedTree.class.getName());

    /** Names with this beginning are the staging directories of servers; guests never see them. */
    private static final String STAGING_PREFIX = ".kagami-staging-";

    private static final int MAX_NODES = 1 << 20;
    private static final int MAX_DEPTH = 200;
    /** Enough for the ways to two directories at once. */
    private static final int MAX_OPEN_DIRECTORIES = 2 * MAX_DEPTH + 100;

    private static final LinkOption[] NO_LINKS = {LinkOption.NOFOLLOW_LINKS};
    private static final PosixFilePermission[] PERMISSION_BITS = {
        PosixFilePermission.OTHERS_EXECUTE,
        PosixFilePermission.OTHERS_WRITE,
        PosixFilePermission.OTHERS_READ,
        PosixFilePermission.GROUP_EXECUTE,
        PosixFilePermission.GROUP_WRITE,
        PosixFilePermission.GROUP_READ,
        PosixFilePermission.OWNER_EXECUTE,
        PosixFilePermission.OWNER_WRITE,
        PosixFilePermission.OWNER_READ
    };

    private final Path directory;
    private final Map<Long, Node> nodes = new HashMap<>();
    private final Map<Object, Node> nodesByKey = new HashMap<>();
    /** Open directories, the one used longest ago first. */
    private final LinkedHashMap<Long, SecureDirectoryStream<Path>> open = new LinkedHashMap<>(16, 0.75f, true);

    private final SecureDirectoryStream<Path> rootStream;
    private long nextId = ROOT + 1;
    private @Nullable Path staging;
    private @Nullable SecureDirectoryStream<Path> stagingStream;
    private int stagingNumber;

    /**
     * Opens a directory.
     *
     * @param shared the directory
     * @throws IOException when it can't be opened, or the host can't confine a guest to it
     */
    SharedTree(Path shared) throws IOException {
        directory = shared.toRealPath();
        rootStream = secure(Files.newDirectoryStream(directory));
        Node root = new Node(ROOT, rootStatus());
        root.lookups = 1;
        nodes.put(ROOT, root);
        nodesByKey.put(root.key(), root);
    }

    private static SecureDirectoryStream<Path> secure(DirectoryStream<Path> stream) throws IOException {
        if (stream instanceof SecureDirectoryStream<Path> secure) {
            return secure;
        }
        stream.close();
        throw new IOException("this host's file system can't confine a guest to a shared directory");
    }

    private FileStatus rootStatus() throws IOException {
        return status(
                rootStream.getFileAttributeView(PosixFileAttributeView.class).readAttributes(), directory);
    }

    /**
     * Gets a file that the guest knows.
     *
     * @param id its number
     * @return the file
     * @throws FuseException ESTALE when there is none
     */
    Node node(long id) {
        Node node = nodes.get(id);
        if (node == null) {
            throw new FuseException(Errno.ESTALE);
        }
        return node;
    }

    /**
     * Checks a name that a guest has sent.
     *
     * @param name the name
     * @return the name as a path of one component
     * @throws FuseException when it is none
     */
    Path component(String name) {
        if (name.isEmpty() || name.equals(".") || name.equals("..") || name.indexOf('/') >= 0) {
            throw new FuseException(Errno.EINVAL);
        }
        if (isHidden(name)) {
            throw new FuseException(Errno.EPERM);
        }
        try {
            Path path = directory.getFileSystem().getPath(name);
            if (path.getNameCount() != 1
                    || path.isAbsolute()
                    || !path.toString().equals(name)) {
                throw new FuseException(Errno.EINVAL);
            }
            return path;
        } catch (java.nio.file.InvalidPathException e) {
            throw new FuseException(Errno.EINVAL);
        }
    }

    static boolean isHidden(String name) {
        return name.startsWith(STAGING_PREFIX);
    }

    /** {@return the path of a file, for calls that only have paths and whose answer is checked} */
    private Path path(Node node) {
        Path path = directory;
        for (Place place : places(node)) {
            path = path.resolve(place.name());
        }
        return path;
    }

    /** {@return the way from the shared directory to a file} */
    private ArrayDeque<Place> places(Node node) {
        ArrayDeque<Place> places = new ArrayDeque<>();
        for (Node at = node; at.id() != ROOT; ) {
            Place place = at.place();
            if (place == null || places.size() > MAX_DEPTH) {
                throw new FuseException(place == null ? Errno.ESTALE : Errno.ELOOP);
            }
            places.addFirst(place);
            at = place.parent();
        }
        return places;
    }

    /**
     * Opens a directory, or finds it open.
     *
     * @param node the directory
     * @return the open directory; stays the tree's to close
     */
    SecureDirectoryStream<Path> stream(Node node) throws IOException {
        if (node.id() == ROOT) {
            return rootStream;
        }
        SecureDirectoryStream<Path> found = open.get(node.id());
        if (found != null) {
            return found;
        }
        if (!node.isDirectory()) {
            throw new FuseException(Errno.ENOTDIR);
        }
        // From the shared directory down, so that each step is checked and no two depend on each other.
        SecureDirectoryStream<Path> at = rootStream;
        ArrayDeque<Place> way = places(node);
        while (!way.isEmpty()) {
            Place place = way.removeFirst();
            Node next = way.isEmpty() ? node : way.getFirst().parent();
            SecureDirectoryStream<Path> cached = open.get(next.id());
            at = cached != null ? cached : enter(at, place.name(), next);
        }
        return at;
    }

    private static SecureDirectoryStream<Path> opened(SecureDirectoryStream<Path> parent, Path name, Node node)
            throws IOException {
        SecureDirectoryStream<Path> stream = secure(parent.newDirectoryStream(name, NO_LINKS));
        Object key = stream.getFileAttributeView(PosixFileAttributeView.class)
                .readAttributes()
                .fileKey();
        if (!node.key().equals(key)) {
            stream.close();
            throw new FuseException(Errno.ESTALE);
        }
        return stream;
    }

    private SecureDirectoryStream<Path> enter(SecureDirectoryStream<Path> parent, Path name, Node node)
            throws IOException {
        SecureDirectoryStream<Path> stream = opened(parent, name, node);
        open.put(node.id(), stream);
        if (open.size() > MAX_OPEN_DIRECTORIES) {
            var eldest = open.pollFirstEntry();
            if (eldest != null) {
                close(eldest.getValue());
            }
        }
        return stream;
    }

    /** {@return a directory opened anew, for listing; the caller's to close} */
    DirectoryStream<Path> list(Node node) throws IOException {
        if (node.id() == ROOT) {
            return Files.newDirectoryStream(directory);
        }
        Place place = node.place();
        if (place == null || !node.isDirectory()) {
            throw new FuseException(place == null ? Errno.ESTALE : Errno.ENOTDIR);
        }
        return opened(stream(place.parent()), place.name(), node);
    }

    /**
     * Finds a file by name and counts that the guest knows it.
     *
     * @param parent the directory
     * @param name one component
     * @return the file, with fresh status
     */
    Node lookUp(Node parent, Path name) throws IOException {
        FileStatus status = status(parent, name);
        Node node = nodesByKey.get(status.key());
        if (node != null && node.isDirectory() != status.isDirectory()) {
            // The host's file system has given a number to a new file.
            nodesByKey.remove(status.key());
            node = null;
        }
        if (node == null) {
            if (nodes.size() >= MAX_NODES) {
                throw new FuseException(Errno.ENFILE);
            }
            node = new Node(nextId++, status);
            nodes.put(node.id(), node);
            nodesByKey.put(node.key(), node);
        }
        if (node.id() != ROOT) {
            node.addPlace(parent, name);
        }
        node.status = status;
        node.lookups++;
        return node;
    }

    /**
     * Hears that the guest has forgotten a file.
     *
     * @param id the file's number
     * @param lookups how many times it had been given the number
     */
    void forget(long id, long lookups) {
        Node node = nodes.get(id);
        if (node == null || id == ROOT) {
            return;
        }
        node.lookups -= Math.min(node.lookups, Math.max(lookups, 0));
        if (node.lookups == 0) {
            nodes.remove(id);
            nodesByKey.remove(node.key(), node);
            close(open.remove(id));
        }
    }

    private FileStatus status(Node parent, Path name) throws IOException {
        PosixFileAttributes attributes = stream(parent)
                .getFileAttributeView(name, PosixFileAttributeView.class, NO_LINKS)
                .readAttributes();
        return status(attributes, path(parent).resolve(name));
    }

    /** Puts together what the safe way tells and what only the other one does, if both mean the same file. */
    private static FileStatus status(PosixFileAttributes attributes, Path path) {
        Object key = Objects.requireNonNull(attributes.fileKey());
        int type = attributes.isDirectory()
                ? FileStatus.TYPE_DIRECTORY
                : attributes.isSymbolicLink() ? FileStatus.TYPE_LINK : FileStatus.TYPE_REGULAR;
        Map<String, Object> more = Map.of();
        try {
            more = Files.readAttributes(path, "unix:fileKey,mode,nlink,uid,gid,ino,ctime", NO_LINKS);
        } catch (IOException | UnsupportedOperationException e) {
            LOGGER.log(Level.DEBUG, "no more is known of %s".formatted(path), e);
        }
        if (!key.equals(more.get("fileKey"))) {
            if (attributes.isOther()) {
                throw new FuseException(Errno.ESTALE);
            }
            return new FileStatus(
                    key,
                    key.hashCode(),
                    type | bits(attributes.permissions()),
                    1,
                    -1,
                    -1,
                    attributes.size(),
                    attributes.lastAccessTime(),
                    attributes.lastModifiedTime(),
                    attributes.lastModifiedTime());
        }
        return new FileStatus(
                key,
                ((Number) Objects.requireNonNull(more.get("ino"))).longValue(),
                ((Number) Objects.requireNonNull(more.get("mode"))).intValue(),
                ((Number) Objects.requireNonNull(more.get("nlink"))).intValue(),
                ((Number) Objects.requireNonNull(more.get("uid"))).intValue(),
                ((Number) Objects.requireNonNull(more.get("gid"))).intValue(),
                attributes.size(),
                attributes.lastAccessTime(),
                attributes.lastModifiedTime(),
                (FileTime) Objects.requireNonNull(more.get("ctime")));
    }

    private static int bits(Set<PosixFilePermission> permissions) {
        int bits = 0;
        for (int i = 0; i < PERMISSION_BITS.length; i++) {
            bits |= permissions.contains(PERMISSION_BITS[i]) ? 1 << i : 0;
        }
        return bits;
    }

    static Set<PosixFilePermission> permissions(int bits) {
        Set<PosixFilePermission> permissions = EnumSet.noneOf(PosixFilePermission.class);
        for (int i = 0; i < PERMISSION_BITS.length; i++) {
            if ((bits & 1 << i) != 0) {
                permissions.add(PERMISSION_BITS[i]);
            }
        }
        return permissions;
    }

    /**
     * Looks at a file again.
     *
     * @param node the file
     * @return its status
     * @throws FuseException ESTALE when it isn't where it was
     */
    FileStatus refresh(Node node) throws IOException {
        if (node.id() == ROOT) {
            node.status = rootStatus();
            return node.status;
        }
        Place place = node.place();
        if (place == null) {
            throw new FuseException(Errno.ESTALE);
        }
        FileStatus status = status(place.parent(), place.name());
        if (!status.key().equals(node.key())) {
            throw new FuseException(Errno.ESTALE);
        }
        node.status = status;
        return status;
    }

    /** {@return the view through which attributes of a file are changed} */
    PosixFileAttributeView view(Node node) throws IOException {
        refresh(node);
        Place place = node.place();
        return place == null
                ? rootStream.getFileAttributeView(PosixFileAttributeView.class)
                : stream(place.parent()).getFileAttributeView(place.name(), PosixFileAttributeView.class, NO_LINKS);
    }

    /**
     * Opens a regular file.
     *
     * @param node the file
     * @param options how
     * @return the open file
     */
    FileChannel open(Node node, Set<? extends OpenOption> options) throws IOException {
        FileStatus status = refresh(node);
        Place place = node.place();
        if (status.isDirectory() || place == null) {
            throw new FuseException(Errno.EISDIR);
        }
        // A pipe would keep this thread, and a device would be the host's.
        if (!status.isRegular()) {
            throw new FuseException(status.isLink() ? Errno.ELOOP : Errno.EACCES);
        }
        return open(stream(place.parent()), place.name(), options);
    }

    private static FileChannel open(
            SecureDirectoryStream<Path> parent,
            Path name,
            Set<? extends OpenOption> options,
            FileAttribute<?>... attributes)
            throws IOException {
        SeekableByteChannel channel = parent.newByteChannel(name, options, attributes);
        if (channel instanceof FileChannel file) {
            return file;
        }
        channel.close();
        throw new IOException("not a file");
    }

    /**
     * Makes a regular file and opens it.
     *
     * @param parent the directory
     * @param name one component
     * @param permissions for owner, group and others
     * @param options how to open it; with CREATE_NEW
     * @return the open file
     */
    FileChannel create(Node parent, Path name, int permissions, Set<? extends OpenOption> options) throws IOException {
        FileChannel channel = open(stream(parent), name, options);
        try {
            // Not the host's umask but the guest's applies, and it has been applied already.
            stream(parent)
                    .getFileAttributeView(name, PosixFileAttributeView.class, NO_LINKS)
                    .setPermissions(permissions(permissions));
            return channel;
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /** Makes a directory. */
    void createDirectory(Node parent, Path name, int permissions) throws IOException {
        requireAbsent(parent, name);
        Path made = stagingName();
        Files.createDirectory(stagingPath().resolve(made));
        stagingStream()
                .getFileAttributeView(made, PosixFileAttributeView.class, NO_LINKS)
                .setPermissions(permissions(permissions));
        moveFromStaging(made, parent, name, true);
    }

    /** Makes a symbolic link. Nobody here ever follows it. */
    void createSymbolicLink(Node parent, Path name, String target) throws IOException {
        requireAbsent(parent, name);
        Path made = stagingName();
        try {
            Files.createSymbolicLink(
                    stagingPath().resolve(made), directory.getFileSystem().getPath(target));
        } catch (java.nio.file.InvalidPathException e) {
            throw new FuseException(Errno.EINVAL);
        }
        moveFromStaging(made, parent, name, false);
    }

    /** Gives a file one more name. */
    void createLink(Node existing, Node parent, Path name) throws IOException {
        requireAbsent(parent, name);
        if (existing.isDirectory()) {
            throw new FuseException(Errno.EPERM);
        }
        refresh(existing);
        Path made = stagingName();
        Files.createLink(stagingPath().resolve(made), path(existing));
        Object key = stagingStream()
                .getFileAttributeView(made, PosixFileAttributeView.class, NO_LINKS)
                .readAttributes()
                .fileKey();
        if (!existing.key().equals(key)) {
            // Somebody has swapped a directory on the way for something else. Nobody has seen this link.
            stagingStream().deleteFile(made);
            throw new FuseException(Errno.ESTALE);
        }
        moveFromStaging(made, parent, name, false);
    }

    /** Reads where a symbolic link leads. */
    String readLink(Node node) throws IOException {
        Path target = Files.readSymbolicLink(path(node));
        // What was read by path counts only if the link is still in its place.
        if (!refresh(node).isLink()) {
            throw new FuseException(Errno.EINVAL);
        }
        return target.toString();
    }

    private void requireAbsent(Node parent, Path name) throws IOException {
        try {
            status(parent, name);
        } catch (java.nio.file.NoSuchFileException e) {
            return;
        }
        throw new FuseException(Errno.EEXIST);
    }

    private Path stagingPath() throws IOException {
        if (staging == null || stagingStream == null) {
            Path made = directory.resolve(STAGING_PREFIX + UUID.randomUUID());
            Files.createDirectory(made);
            staging = made;
            stagingStream = secure(rootStream.newDirectoryStream(made.getFileName(), NO_LINKS));
        }
        return staging;
    }

    private SecureDirectoryStream<Path> stagingStream() throws IOException {
        stagingPath();
        return Objects.requireNonNull(stagingStream);
    }

    private Path stagingName() {
        return directory.getFileSystem().getPath(Integer.toString(stagingNumber++));
    }

    private void moveFromStaging(Path made, Node parent, Path name, boolean isDirectory) throws IOException {
        try {
            stagingStream().move(made, stream(parent), name);
        } catch (IOException | RuntimeException e) {
            if (isDirectory) {
                stagingStream().deleteDirectory(made);
            } else {
                stagingStream().deleteFile(made);
            }
            throw e;
        }
    }

    /** Removes a file's name. */
    void delete(Node parent, Path name, boolean isDirectory) throws IOException {
        FileStatus status = status(parent, name);
        if (isDirectory) {
            if (!status.isDirectory()) {
                throw new FuseException(Errno.ENOTDIR);
            }
            stream(parent).deleteDirectory(name);
        } else {
            if (status.isDirectory()) {
                throw new FuseException(Errno.EISDIR);
            }
            stream(parent).deleteFile(name);
        }
        Node node = nodesByKey.get(status.key());
        if (node != null) {
            node.removePlace(parent, name);
            if (isDirectory) {
                close(open.remove(node.id()));
            }
            if (isDirectory || status.links() <= 1) {
                // The host may give the number to another file now.
                nodesByKey.remove(status.key());
            }
        }
    }

    /** Moves a file, replacing what is there unless that is forbidden. */
    void move(Node from, Path name, Node to, Path newName, boolean replace) throws IOException {
        FileStatus status = status(from, name);
        FileStatus replaced = null;
        try {
            replaced = status(to, newName);
        } catch (java.nio.file.NoSuchFileException e) {
            LOGGER.log(Level.TRACE, "nothing is replaced");
        }
        if (replaced != null && !replace) {
            throw new FuseException(Errno.EEXIST);
        }
        stream(from).move(name, stream(to), newName);
        if (replaced != null && !replaced.key().equals(status.key())) {
            Node old = nodesByKey.get(replaced.key());
            if (old != null) {
                old.removePlace(to, newName);
                if (old.isDirectory()) {
                    close(open.remove(old.id()));
                }
                nodesByKey.remove(replaced.key());
            }
        }
        Node node = nodesByKey.get(status.key());
        if (node != null) {
            node.removePlace(from, name);
            node.addPlace(to, newName);
        }
    }

    /** {@return the file system that the directory is on} */
    java.nio.file.FileStore store() throws IOException {
        return Files.getFileStore(directory);
    }

    private static void close(@Nullable SecureDirectoryStream<Path> stream) {
        if (stream != null) {
            try {
                stream.close();
            } catch (IOException e) {
                LOGGER.log(Level.DEBUG, "closing a directory", e);
            }
        }
    }

    @Override
    public void close() {
        open.values().forEach(SharedTree::close);
        open.clear();
        close(stagingStream);
        if (staging != null) {
            try {
                Files.deleteIfExists(staging);
            } catch (IOException e) {
                LOGGER.log(Level.WARNING, "cannot remove the directory %s".formatted(staging), e);
            }
        }
        close(rootStream);
    }
}
