package dev.kagami.control;

import dev.kagami.control.http.HttpException;
import dev.kagami.control.http.HttpServer;
import dev.kagami.control.http.Request;
import dev.kagami.control.http.Response;
import dev.kagami.control.http.Router;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.GuestTerminal;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.MachineStateException;
import dev.kagami.vm.MemoryBalloon;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.SaveOption;
import dev.kagami.vm.VirtualMachine;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;

/** Lets other processes of the user control a machine, over HTTP on a Unix socket. Thread-safe. */
public final class ControlServer implements AutoCloseable {
    private static final String OWNER_ONLY = "rw-------";
    private static final String JSON = "application/json";
    private static final int OK = 200;
    private static final int BAD_REQUEST = 400;
    private static final int NOT_FOUND = 404;
    private static final int CONFLICT = 409;
    private static final int UPGRADE_REQUIRED = 426;
    private static final int INTERNAL_ERROR = 500;

    private final String name;
    private final VirtualMachine machine;
    private final SharedConsole console;
    private final Router router = new Router();
    private final HttpServer server;

    private ControlServer(String name, VirtualMachine machine, SharedConsole console, ServerSocketChannel socket) {
        this.name = name;
        this.machine = machine;
        this.console = console;
        addRoutes();
        server = HttpServer.start(socket, new Handler());
    }

    /**
     * Starts to serve.
     *
     * @param claim the machine's name; stays claimed
     * @param machine the machine, which should have been started
     * @param console what its serial port is connected to
     * @return the server, to be closed when the machine has ended
     * @throws KagamiException when the socket can't be made
     */
    public static ControlServer start(Machines.Claim claim, VirtualMachine machine, SharedConsole console) {
        try {
            return new ControlServer(claim.name(), machine, console, listen(claim.socket()));
        } catch (IOException | UnsupportedOperationException e) {
            throw new KagamiException(
                    ErrorCode.CONTROL_FAILED,
                    "cannot listen at %s: %s".formatted(claim.socket(), e.getMessage()),
                    "paths of sockets are short, about 100 bytes: use a shorter name, or set XDG_RUNTIME_DIR to a"
                            + " directory with a shorter path",
                    e);
        }
    }

    private static ServerSocketChannel listen(Path path) throws IOException {
        ServerSocketChannel socket = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            socket.bind(UnixDomainSocketAddress.of(path));
            if (path.getFileSystem().supportedFileAttributeViews().contains("posix")) {
                Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(OWNER_ONLY));
            }
            return socket;
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    private void addRoutes() {
        router.add("GET", "/v1/openapi.json", _ -> Response.of(OK, JSON, description()));
        router.add("GET", "/v1/machine", _ -> status());
        router.add("POST", "/v1/machine/stop", this::stop);
        router.add("POST", "/v1/machine/pause", _ -> act(VirtualMachine::pause));
        router.add("POST", "/v1/machine/resume", _ -> act(VirtualMachine::resume));
        router.add("POST", "/v1/machine/reset", _ -> act(VirtualMachine::reset));
        router.add("POST", "/v1/machine/save", this::save);
        router.add("POST", "/v1/exec", this::exec);
        router.add("GET", "/v1/metrics", _ -> json(Messages.ofMetrics(machine.stats())));
        router.add("GET", "/v1/balloon", _ -> balloon(balloon -> {}));
        router.add("PUT", "/v1/balloon", this::setBalloon);
        router.add("GET", "/v1/forwards", _ -> forwards());
        router.add("POST", "/v1/forwards", this::addForward);
        router.add("DELETE", "/v1/forwards/{protocol}/{address}/{port}", this::removeForward);
        router.add("GET", "/v1/console", this::console);
        router.add(
                "GET",
                "/v1/console/scrollback",
                _ -> Response.of(OK, "application/octet-stream", console.scrollback()));
    }

    List<Router.Route> routes() {
        return router.routes();
    }

    /** {@return the description of all this, in OpenAPI 3.1} */
    static byte[] description() {
        try (InputStream in = Objects.requireNonNull(ControlServer.class.getResourceAsStream("openapi.json"))) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Response json(Map<String, Object> object) {
        return Response.of(OK, JSON, Json.write(object));
    }

    private Response status() {
        return json(Messages.ofMachine(name, machine));
    }

    private Response act(Consumer<VirtualMachine> action) {
        action.accept(machine);
        return status();
    }

    private Response stop(Request request) {
        boolean force = Messages.flag(Json.read(request.body()), "force");
        return act(force ? VirtualMachine::stop : VirtualMachine::requestStop);
    }

    private Response save(Request request) {
        Map<String, Object> body = Json.read(request.body());
        Path file = Path.of(Messages.text(body, "file", ""));
        if (!file.isAbsolute()) {
            throw new IllegalArgumentException("file must be an absolute path");
        }
        boolean compressed = Messages.flag(body, "compressed");
        return act(vm -> vm.save(file, compressed ? new SaveOption[] {SaveOption.COMPRESS} : new SaveOption[0]));
    }

    private Response exec(Request request) {
        Map<String, Object> body = Json.read(request.body());
        String command = Messages.text(body, "command", "");
        if (request.header("upgrade").equalsIgnoreCase(ExecStream.PROTOCOL)) {
            Duration timeout = Messages.timeout(body, "timeoutSeconds");
            GuestTerminal terminal = Messages.toTerminal(body);
            return Response.upgrade(
                    ExecStream.PROTOCOL, (in, out) -> ExecStream.serve(machine, command, terminal, timeout, in, out));
        }
        if (body.containsKey("terminal")) {
            throw new IllegalArgumentException(
                    "terminal needs the header field 'Upgrade: %s'".formatted(ExecStream.PROTOCOL));
        }
        byte[] input = Messages.bytes(body, "stdin");
        try {
            return json(Messages.ofResult(machine.exec(
                    command,
                    o -> o.stdin(new ByteArrayInputStream(input)).timeout(Messages.timeout(body, "timeoutSeconds")))));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return error(INTERNAL_ERROR, "INTERRUPTED", "the machine's process is ending", "start it again");
        }
    }

    private Response setBalloon(Request request) {
        MemorySize target = Messages.toMemory(Json.read(request.body()), "targetBytes");
        return balloon(balloon -> balloon.setTarget(target));
    }

    private Response balloon(Consumer<MemoryBalloon> action) {
        if (machine.config().balloon() == null) {
            return error(
                    CONFLICT,
                    "NO_BALLOON",
                    "the machine '%s' has no memory balloon".formatted(name),
                    "start it with one: kagami run --balloon");
        }
        MemoryBalloon balloon = machine.balloon();
        action.accept(balloon);
        return json(Messages.ofBalloon(balloon));
    }

    private Response forwards() {
        return json(Map.of(
                "forwards", machine.forwards().stream().map(Messages::ofForward).toList()));
    }

    private Response addForward(Request request) {
        return json(Messages.ofForward(machine.addForward(Messages.toForward(Json.read(request.body())))));
    }

    private Response removeForward(Request request) {
        String protocol = request.parameters().get(0);
        String address = request.parameters().get(1);
        String port = request.parameters().get(2);
        if (machine.removeForward(Messages.protocol(protocol), Messages.local(address, port))) {
            return forwards();
        }
        return error(
                NOT_FOUND,
                "NO_SUCH_FORWARD",
                "no %s port %s is forwarded at %s".formatted(protocol, port, address),
                "see which are with: kagami forward %s".formatted(name));
    }

    private Response console(Request request) {
        if (!request.header("upgrade").equalsIgnoreCase(Messages.UPGRADE)) {
            return error(
                            UPGRADE_REQUIRED,
                            "UPGRADE_REQUIRED",
                            "the console is a stream of bytes both ways",
                            "send 'Connection: Upgrade' and 'Upgrade: %s'".formatted(Messages.UPGRADE))
                    .with("Upgrade", Messages.UPGRADE);
        }
        return Response.upgrade(Messages.UPGRADE, console::attach);
    }

    private static Response error(int status, String code, String message, String hint) {
        return error(status, Messages.ofError(code, message, hint));
    }

    private static Response error(int status, Map<String, Object> error) {
        return Response.of(status, JSON, Json.write(error));
    }

    private final class Handler implements HttpServer.Handler {
        @Override
        public Response answer(Request request) {
            try {
                return router.answer(request);
            } catch (HttpException e) {
                return refuse(e.status(), String.valueOf(e.getMessage()));
            } catch (KagamiException e) {
                return error(CONFLICT, e.code().name(), String.valueOf(e.getMessage()), e.hint());
            } catch (MachineStateException e) {
                return error(CONFLICT, Messages.ofError(e));
            } catch (IllegalArgumentException e) {
                return refuse(BAD_REQUEST, String.valueOf(e.getMessage()));
            } catch (RuntimeException e) {
                System.getLogger(ControlServer.class.getName())
                        .log(System.Logger.Level.ERROR, "answering %s".formatted(request.path()), e);
                return error(
                        INTERNAL_ERROR, "INTERNAL_ERROR", e.toString(), "please report it, with the machine's log");
            }
        }

        @Override
        public Response refuse(int status, String message) {
            return error(status, Messages.ofWrongRequest(message));
        }
    }

    /** Listens no more and ends all connections. The machine goes on. */
    @Override
    public void close() {
        server.close();
    }
}
