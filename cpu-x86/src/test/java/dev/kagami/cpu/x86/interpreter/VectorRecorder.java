package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.EvexEncoding;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.zip.GZIPOutputStream;

/**
 * Records {@code src/test/resources/vectors/recorded.txt.gz} on the processor it runs on; see the README there. Each
 * vector runs twice and is left out when the two runs differ.
 */
final class VectorRecorder {
    private static final int SEQUENCES = 900;
    private static final int OPMASKS = 50;

    private VectorRecorder() {}

    /**
     * Records.
     *
     * @param arguments file to write, seed, vectors of each kind of instructions, and perhaps the only kinds wanted,
     *     which leaves mixed sequences out; {@code avx512} is as many kinds as there are such instructions
     */
    public static void main(String[] arguments) throws IOException {
        long seed = Long.parseLong(arguments[1]);
        int each = Integer.parseInt(arguments[2]);
        // Sequences of the other kinds are for hosts without AVX-512, too.
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
                if (family.equals("avx512")) {
                    count += recordAvx512(oracle, vector, seed, each, out);
                    continue;
                }
                for (int i = 0; i < each; i++) {
                    generator.generate(++seed, family, vector);
                    count += record(oracle, vector, seed, false, out);
                }
            }
            for (int i = 0; wanted.isEmpty() && i < SEQUENCES; i++) {
                generator.generate(++seed, vector);
                count += record(oracle, vector, seed, false, out);
            }
        }
        System.out.println(count + " vectors, " + Files.size(Path.of(arguments[0])) + " bytes");
    }

    private static int recordAvx512(HostOracle oracle, RecordedVector vector, long firstSeed, int each, Writer out)
            throws IOException {
        EvexSequences sequences = new EvexSequences();
        long seed = firstSeed;
        int count = 0;
        for (EvexEncoding encoding : EvexSequences.encodings()) {
            for (int i = 0; i < each; i++) {
                SnippetWriter snippet = new SnippetWriter(new SplittableRandom(++seed));
                sequences.write(snippet, encoding);
                count += record(oracle, vector, encoding.form().name, snippet, seed, out);
            }
        }
        for (int i = 0; i < OPMASKS * each; i++) {
            SnippetWriter snippet = new SnippetWriter(new SplittableRandom(++seed));
            sequences.opmask(snippet);
            count += record(oracle, vector, "opmask", snippet, seed, out);
        }
        return count;
    }

    private static int record(
            HostOracle oracle, RecordedVector vector, String form, SnippetWriter snippet, long seed, Writer out)
            throws IOException {
        vector.form = form;
        vector.code = snippet.code();
        vector.undefinedFlags = snippet.undefinedFlags();
        return record(oracle, vector, seed, true, out);
    }

    private static int record(HostOracle oracle, RecordedVector vector, long seed, boolean wide, Writer out)
            throws IOException {
        vector.randomInput(seed, wide);
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
