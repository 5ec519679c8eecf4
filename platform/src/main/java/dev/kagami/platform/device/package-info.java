/**
 * The devices of the PC, one class each: written from their datasheets, with their state in plain fields under the
 * device's own monitor. Time comes from {@link dev.kagami.cpu.Timers} only.
 */
package dev.kagami.platform.device;
