package dev.kagami.control.http;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Function;

/** Finds who answers a request by its method and path. */
public final class Router {
    private static final int NOT_FOUND = 404;
    private static final int METHOD_NOT_ALLOWED = 405;

    private final List<Route> routes = new ArrayList<>();

    /**
     * What answers a kind of request.
     *
     * @param method the method
     * @param template the path, where {@code {name}} stands for anything between two slashes
     * @param handler makes the answer
     */
    public record Route(String method, String template, Function<Request, Response> handler) {
        private Optional<List<String>> match(String path) {
            String[] wanted = template.split("/", -1);
            String[] actual = path.split("/", -1);
            if (wanted.length != actual.length) {
                return Optional.empty();
            }
            List<String> parameters = new ArrayList<>();
            for (int i = 0; i < wanted.length; i++) {
                if (wanted[i].startsWith("{")) {
                    parameters.add(actual[i]);
                } else if (!wanted[i].equals(actual[i])) {
                    return Optional.empty();
                }
            }
            return Optional.of(parameters);
        }
    }

    /** Adds a route. */
    public void add(String method, String template, Function<Request, Response> handler) {
        routes.add(new Route(method, template, handler));
    }

    /** {@return all routes} */
    public List<Route> routes() {
        return List.copyOf(routes);
    }

    /**
     * Answers a request.
     *
     * @param request the request
     * @return the answer
     * @throws HttpException if there is no such path, or it doesn't know the method
     */
    public Response answer(Request request) throws HttpException {
        TreeSet<String> others = new TreeSet<>();
        for (Route route : routes) {
            Optional<List<String>> parameters = route.match(request.path());
            if (parameters.isEmpty()) {
                continue;
            }
            if (route.method().equals(request.method())) {
                return route.handler().apply(request.withParameters(parameters.get()));
            }
            others.add(route.method());
        }
        if (others.isEmpty()) {
            throw new HttpException(NOT_FOUND, "there is no " + request.path());
        }
        throw new HttpException(
                METHOD_NOT_ALLOWED, "%s knows %s only".formatted(request.path(), String.join(" and ", others)));
    }
}
