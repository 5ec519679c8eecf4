package dev.kagami.cpu.x86.interpreter;

import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.zip.GZIPOutputStream;

/**
 * Records {@code src/test/resources/vectors/recorded.txt.gz} on the processor it runs on; see the README there. Each
 * vector runs twice and is left out when the two runs differ.
 */
final class VectorRecorder {
    private static final int SEQUENCES = 900;

    private VectorRecorder() {}

    /**
     * Records.
     *
     * @param arguments file to write, seed, vectors of each kind of instructions, and perhaps the only kinds wanted,
     *     which leaves mixed sequences out
     */
    public static void main(String[] arguments) throws IOException {
        long seed = Long.parseLong(arguments[1]);
        int each = Integer.parseInt(arguments[2]);
        // A line has no room for the state of AVX-512.
        Set<String> features = HostOracle.features().stream()
                .filter(feature -> !feature.startsWith("avx512"))
                .collect(Collectors.toSet());
        SequenceGenerator generator = new SequenceGenerator(features);
        RecordedVector vector = new RecordedVector();
        List<String> wanted = List.of(arguments).subList(3, arguments.length);
        int count = 0;
        try (HostOracle oracle = new HostOracle();
                Writer out = new OutputStreamWriter(
                        new GZIPOutputStream(Files.newOutputStream(Path.of(arguments[0]))),
                        StandardCharsets.US_ASCII)) {
            for (String family : wanted.isEmpty() ? generator.families() : wanted) {
                for (int i = 0; i < each; i++) {
                    generator.generate(++seed, family, vector);
                    count += record(oracle, vector, seed, out);
                }
            }
            for (int i = 0; wanted.isEmpty() && i < SEQUENCES; i++) {
                generator.generate(++seed, vector);
                count += record(oracle, vector, seed, out);
            }
        }
        System.out.println(count + " vectors, " + Files.size(Path.of(arguments[0])) + " bytes");
    }

    private static int record(HostOracle oracle, RecordedVector vector, long seed, Writer out) throws IOException {
        vector.randomInput(seed);
        vector.output.copyFrom(vector.input);
        oracle.run(vector.output, vector.code);
        String first = vector.format();
        vector.output.copyFrom(vector.input);
        oracle.run(vector.output, vector.code);
        if (!first.equals(vector.format())) {
            return 0;
        }
        out.write(first);
        out.write('\n');
        return 1;
    }
}
