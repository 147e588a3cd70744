package herald.peer;

import java.util.Map;

/** What somebody can be told of, with the texts and rules of docs/formats.md. */
enum Kind {
  FOLLOW("follow"),
  LIKE("like"),
  MENTION("mention"),
  MESSAGE("message");

  /** An event's `type`: a kind, or what takes it back. */
  record Type(Kind kind, boolean isUndo) {}

  private static final Map<String, Type> TYPES =
      Map.of(
          "follow", new Type(FOLLOW, false),
          "like", new Type(LIKE, false),
          "mention", new Type(MENTION, false),
          "message", new Type(MESSAGE, false),
          "unfollow", new Type(FOLLOW, true),
          "unlike", new Type(LIKE, true),
          "unmention", new Type(MENTION, true));

  final String text;

  Kind(String text) {
    this.text = text;
  }

  /** Null when there is no such type. */
  static Type typeOf(String name) {
    return TYPES.get(name);
  }

  boolean deliveredToActor() {
    return this == MESSAGE;
  }

  /** The sentence for people; absent values are null or empty. */
  String message(String actor, Event event) {
    String name = isBlank(actor) ? "Someone" : actor;
    Event.Subject object = event.object();
    String type = object == null ? null : object.type();
    String title = object == null ? null : object.title();
    String text = event.text();
    return switch (this) {
      case FOLLOW -> name + " started following you.";
      case LIKE ->
          name + " liked your " + (isBlank(type) ? "post" : type)
              + (isBlank(title) ? "." : ": " + title);
      case MENTION ->
          name + " mentioned you"
              + (isBlank(type) ? "" : (startsWithVowel(type) ? " in an " : " in a ") + type)
              + (isBlank(text) ? "." : ": " + text);
      case MESSAGE -> isBlank(text) ? "" : text;
    };
  }

  private static boolean isBlank(String text) {
    return text == null || text.isEmpty();
  }

  private static boolean startsWithVowel(String text) {
    return "aeiou".indexOf(text.charAt(0)) >= 0;
  }
}
