/** As much of HTTP/1.1 (RFC 9112) as the control socket needs. */
package dev.kagami.control.http;
