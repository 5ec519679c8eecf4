package dev.kagami.control.http;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Answers requests that come over a server socket, on a virtual thread for each connection. */
public final class HttpServer implements AutoCloseable {
    /** More at a time are a mistake. */
    private static final int MAX_CONNECTIONS = 256;

    private static final int MAX_BODY = 4 << 20;
    private static final int SERVICE_UNAVAILABLE = 503;

    private final ServerSocketChannel socket;
    private final Handler handler;
    private final Set<SocketChannel> connections = ConcurrentHashMap.newKeySet();
    private final Thread acceptor;

    /** Answers requests; called on many threads. */
    public interface Handler {
        /** {@return the answer to a request} */
        Response answer(Request request);

        /** {@return the answer to what is no request, or too much} */
        Response refuse(int status, String message);
    }

    private HttpServer(ServerSocketChannel socket, Handler handler) {
        this.socket = socket;
        this.handler = handler;
        acceptor = Thread.ofPlatform().daemon().name("kagami-control").unstarted(this::accept);
    }

    /**
     * Starts a server.
     *
     * @param socket a bound socket; closed with the server
     * @param handler who answers
     * @return the server
     */
    public static HttpServer start(ServerSocketChannel socket, Handler handler) {
        HttpServer server = new HttpServer(socket, handler);
        server.acceptor.start();
        return server;
    }

    private void accept() {
        while (socket.isOpen()) {
            try {
                SocketChannel connection = socket.accept();
                connections.add(connection);
                Thread.ofVirtual().name("kagami-control-connection").start(() -> serve(connection));
            } catch (IOException e) {
                if (socket.isOpen()) {
                    pause();
                }
            }
        }
    }

    /** The host is out of files for a moment. */
    private static void pause() {
        try {
            Thread.sleep(100);
        } catch (InterruptedException e) {
            // The loop's condition tells.
        }
    }

    private void serve(SocketChannel connection) {
        try (connection) {
            InputStream in = new BufferedInputStream(Channels.newInputStream(connection));
            OutputStream out = Channels.newOutputStream(connection);
            if (connections.size() > MAX_CONNECTIONS) {
                handler.refuse(SERVICE_UNAVAILABLE, "there are too many connections")
                        .write(out, true);
                return;
            }
            boolean last = false;
            while (!last) {
                Response response;
                try {
                    Optional<HttpMessage> message = HttpMessage.read(in, MAX_BODY);
                    if (message.isEmpty()) {
                        return;
                    }
                    Request request = Request.of(message.get());
                    last = request.lastOne();
                    response = handler.answer(request);
                } catch (HttpException e) {
                    // Nobody knows where the next request would begin.
                    last = true;
                    response = handler.refuse(e.status(), String.valueOf(e.getMessage()));
                }
                response.write(out, last);
                if (response.tunnel() != null) {
                    response.tunnel().run(in, out);
                    return;
                }
            }
        } catch (IOException e) {
            // The client's business.
        } finally {
            connections.remove(connection);
        }
    }

    /** Ends all connections and listens no more. */
    @Override
    public void close() {
        closeQuietly(socket);
        connections.forEach(HttpServer::closeQuietly);
        boolean interrupted = false;
        while (acceptor.isAlive()) {
            try {
                acceptor.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        // One may have been accepted in between.
        connections.forEach(HttpServer::closeQuietly);
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static void closeQuietly(AutoCloseable channel) {
        try {
            channel.close();
        } catch (Exception e) {
            // There is nothing left to be done about it.
        }
    }
}
