package dev.kagami.control.http;

/** A message that can't be answered but by an error. */
public final class HttpException extends Exception {
    private static final long serialVersionUID = 1L;

    private final int status;

    /**
     * Makes an exception.
     *
     * @param status the status to answer with
     * @param message what is wrong
     */
    public HttpException(int status, String message) {
        super(message);
        this.status = status;
    }

    /** {@return the status to answer with} */
    public int status() {
        return status;
    }
}
