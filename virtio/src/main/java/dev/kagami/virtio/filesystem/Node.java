package dev.kagami.virtio.filesystem;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A file that the guest knows, by its number. */
final class Node {
    /** Names that are remembered for a file with several. */
    private static final int MAX_PLACES = 16;

    private final long id;
    private final Object key;
    private final boolean directory;
    /** Where the file is: for a directory one place, for other files one a name that the guest has looked up. */
    private final List<Place> places = new ArrayList<>(1);
    /** How often the guest was given the number and hasn't forgotten it. */
    long lookups;

    FileStatus status;

    /**
     * A name in a directory.
     *
     * @param parent the directory
     * @param name one component
     */
    record Place(Node parent, Path name) {}

    Node(long id, FileStatus status) {
        this.id = id;
        this.key = status.key();
        this.directory = status.isDirectory();
        this.status = status;
    }

    long id() {
        return id;
    }

    Object key() {
        return key;
    }

    boolean isDirectory() {
        return directory;
    }

    /** {@return where the file is, or null when it has no name any more} */
    @Nullable
    Place place() {
        return places.isEmpty() ? null : places.getLast();
    }

    void addPlace(Node parent, Path name) {
        Place place = new Place(parent, name);
        if (directory) {
            places.clear();
        } else {
            places.remove(place);
            if (places.size() == MAX_PLACES) {
                places.removeFirst();
            }
        }
        places.add(place);
    }

    void removePlace(Node parent, Path name) {
        places.remove(new Place(parent, name));
    }
}
