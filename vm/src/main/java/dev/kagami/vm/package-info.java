/** Placeholder until the module's first class. */
package dev.kagami.vm;
