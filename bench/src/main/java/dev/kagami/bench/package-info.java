/** Times whole processes in alternation, so that what else the host does falls on all of them alike. */
package dev.kagami.bench;
