/**
 * Whole machines, seen from outside.
 *
 * <p>{@link dev.kagami.tests.SerialSession} drives a guest through its serial console, {@link dev.kagami.tests.Guests}
 * has the stock kernels, {@link dev.kagami.tests.BareMachine} boots in ways that the public API doesn't offer, and
 * {@link dev.kagami.tests.Assembly} with {@link dev.kagami.tests.MultibootImage} makes kernels of a few instructions.
 */
@NullMarked
package dev.kagami.tests;

import org.jspecify.annotations.NullMarked;
