package dev.kagami.control.http;

import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A request.
 *
 * @param method such as {@code GET}
 * @param path the decoded path, such as {@code /v1/machine}
 * @param headers fields by their names in lower case
 * @param body the body; empty if there is none
 * @param parameters what the path has in place of the route's {@code {}}
 * @param lastOne whether the client wants the connection closed afterwards
 */
public record Request(
        String method,
        String path,
        Map<String, String> headers,
        byte[] body,
        List<String> parameters,
        boolean lastOne) {
    private static final Pattern LINE = Pattern.compile("([A-Z]{1,16}) (/\\S*) HTTP/1\\.([01])");
    private static final int BAD_REQUEST = 400;

    static Request of(HttpMessage message) throws HttpException {
        Matcher line = LINE.matcher(message.startLine());
        if (!line.matches()) {
            throw new HttpException(BAD_REQUEST, "the request isn't one of HTTP/1.1");
        }
        boolean close = message.header("connection").equalsIgnoreCase("close")
                || line.group(3).equals("0");
        try {
            String path = URI.create("http://localhost" + line.group(2)).getPath();
            return new Request(line.group(1), path, message.headers(), message.body(), List.of(), close);
        } catch (IllegalArgumentException e) {
            throw new HttpException(BAD_REQUEST, "the request's path is malformed");
        }
    }

    Request withParameters(List<String> values) {
        return new Request(method, path, headers, body, values, lastOne);
    }

    /** {@return a header field; empty if there is none} */
    public String header(String name) {
        return headers.getOrDefault(name, "");
    }
}
