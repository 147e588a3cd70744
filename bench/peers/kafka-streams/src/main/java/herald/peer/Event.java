package herald.peer;

import java.util.List;

/** A raw event. What it does not have is null; `id` is null until one is made for it. */
record Event(
    String id,
    Kind.Type type,
    String actor,
    List<String> targets,
    Subject object,
    String text,
    String undoOf,
    long timeMs) {

  /** What an event is about. */
  record Subject(String type, String id, String title) {}
}
