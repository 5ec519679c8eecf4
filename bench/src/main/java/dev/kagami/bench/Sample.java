package dev.kagami.bench;

import java.util.ArrayList;
import java.util.List;

/** Values of one thing that was measured several times. */
final class Sample {
    private final List<Double> values = new ArrayList<>();

    void add(double value) {
        values.add(value);
    }

    boolean isEmpty() {
        return values.isEmpty();
    }

    double minimum() {
        return values.stream().mapToDouble(Double::doubleValue).min().orElseThrow();
    }

    double maximum() {
        return values.stream().mapToDouble(Double::doubleValue).max().orElseThrow();
    }

    double median() {
        double[] sorted =
                values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
