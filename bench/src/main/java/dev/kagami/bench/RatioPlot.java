package dev.kagami.bench;

import java.util.List;
import java.util.Locale;

/** Draws how many times as much as QEMU each contender does: a bar for each, on a logarithmic axis. */
final class RatioPlot {
    private static final int LEFT = 270;
    private static final int AXIS = 520;
    private static final int BAR = 13;
    private static final int GAP = 12;
    private static final int TOP = 52;
    private static final List<String> COLOURS = List.of("#2f6f9f", "#c4793a", "#5a8f4b", "#8a5fa5");

    /** Decades from 0.1 to 100 times. */
    private static final int FIRST_DECADE = -1;

    private static final int DECADES = 3;

    private RatioPlot() {}

    static String draw(Results results) {
        List<String> names = results.compared();
        int row = names.size() * BAR + GAP;
        int bottom = TOP + results.workloads().size() * row;
        int width = LEFT + AXIS + 70;
        StringBuilder svg = new StringBuilder();
        add(
                svg,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\""
                        + " font-size=\"12\">",
                width,
                bottom + 30);
        add(svg, "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>");
        for (int i = 0; i < names.size(); i++) {
            int x = 12 + i * 190;
            add(svg, "<rect x=\"%d\" y=\"12\" width=\"12\" height=\"12\" fill=\"%s\"/>", x, colour(i));
            add(svg, "<text x=\"%d\" y=\"22\">%s</text>", x + 18, names.get(i));
        }
        add(svg, "<text x=\"%d\" y=\"22\">times %s; more is better</text>", LEFT + 220, Results.REFERENCE);
        for (int decade = FIRST_DECADE; decade <= FIRST_DECADE + DECADES; decade++) {
            double x = x(Math.pow(10, decade));
            String colour = decade == 0 ? "#444" : "#ccc";
            add(
                    svg,
                    "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"%s\"/>",
                    x,
                    TOP - 6,
                    x,
                    bottom,
                    colour);
            String label = decade < 0 ? "0.1" : Integer.toString((int) Math.pow(10, decade));
            add(svg, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>", x, bottom + 16, label);
        }
        int y = TOP;
        for (Workload workload : results.workloads()) {
            int middle = y + names.size() * BAR / 2 + 4;
            add(svg, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", LEFT - 8, middle, workload.title());
            for (int i = 0; i < names.size(); i++) {
                bar(svg, results, names.get(i), workload, y + i * BAR, colour(i));
            }
            y += row;
        }
        return svg.append("</svg>\n").toString();
    }

    private static void bar(StringBuilder svg, Results results, String name, Workload workload, int y, String colour) {
        results.ratio(name, Results.REFERENCE, workload).ifPresent(ratio -> {
            double from = Math.min(x(1), x(ratio));
            double to = Math.max(x(1), x(ratio));
            add(
                    svg,
                    "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>",
                    from,
                    y,
                    to - from,
                    BAR - 1,
                    colour);
            add(svg, "<text x=\"%.1f\" y=\"%d\" font-size=\"10\">%.2f</text>", to + 3, y + BAR - 3, ratio);
        });
    }

    private static double x(double ratio) {
        double decades = Math.clamp(Math.log10(ratio) - FIRST_DECADE, 0, DECADES);
        return LEFT + decades * AXIS / DECADES;
    }

    private static String colour(int index) {
        return COLOURS.get(index % COLOURS.size());
    }

    private static void add(StringBuilder svg, String format, Object... arguments) {
        svg.append(String.format(Locale.ROOT, format, arguments)).append('\n');
    }
}
