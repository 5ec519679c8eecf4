package dev.kagami.block;

import java.nio.file.Path;
import java.util.List;

/**
 * What a check of an image found.
 *
 * @param file the image
 * @param errors contradictions in its tables that may cost data and are still there
 * @param leaks clusters that count as used but hold nothing, and still do
 * @param repairedErrors contradictions that were corrected
 * @param repairedLeaks clusters that were freed
 * @param allocatedClusters clusters of the disk that have a place in the file
 * @param totalClusters clusters of the disk
 * @param messages the first errors, each in a sentence
 */
public record CheckReport(
        Path file,
        long errors,
        long leaks,
        long repairedErrors,
        long repairedLeaks,
        long allocatedClusters,
        long totalClusters,
        List<String> messages) {

    /** What a check may correct. */
    public enum Repair {
        /** Nothing. */
        NOTHING,
        /** Clusters that count as used but hold nothing are freed: safe. */
        LEAKS,
        /** All reference counts are made to agree with what the tables refer to. */
        ALL
    }

    /** {@return whether nothing is wrong with the image now} */
    public boolean clean() {
        return errors == 0 && leaks == 0;
    }
}
