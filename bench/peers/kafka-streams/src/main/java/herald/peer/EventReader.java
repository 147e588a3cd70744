package herald.peer;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Reads a raw event; docs/formats.md describes the fields. */
final class EventReader {
  private static final int EVENT_BYTES_MAX = 1 << 20;
  private static final int TARGETS_MAX = 10_000;
  private static final int TYPE_BYTES_MAX = 256;
  private static final int TEXT_BYTES_MAX = 4096;
  private static final int TITLE_BYTES_MAX = 1024;
  private static final long TIME_AHEAD_MS_MAX = 24 * 3_600_000L;

  private static final long TIME_MS_MIN = -62_135_596_800_000L;

  private EventReader() {}

  static Event read(byte[] value, long timestampMs) throws Refused {
    if (value == null) {
      throw new Refused("null-value: an event cannot be null");
    }
    if (value.length > EVENT_BYTES_MAX) {
      throw new Refused("limit: the event has more than " + EVENT_BYTES_MAX + " bytes");
    }
    try (JsonParser parser = Json.FACTORY.createParser(value)) {
      return read(parser, timestampMs);
    } catch (IOException error) {
      throw new Refused("not-json");
    }
  }

  private static Event read(JsonParser parser, long timestampMs) throws IOException, Refused {
    Json.expectObject(parser.nextToken(), "the event");
    String id = null;
    String type = null;
    String actor = null;
    String target = null;
    List<String> targets = List.of();
    Event.Subject object = null;
    String text = null;
    String undoOf = null;
    long timeMs = timestampMs;
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = parser.currentName();
      JsonToken token = parser.nextToken();
      switch (name) {
        case "id" -> id = Json.id(parser, name);
        case "type" -> type = Json.text(parser, name, TYPE_BYTES_MAX);
        case "actor" -> actor = Json.id(parser, name);
        case "target" -> target = Json.id(parser, name);
        case "targets" -> targets = readTargets(parser);
        case "object" -> object = token == JsonToken.VALUE_NULL ? null : readObject(parser);
        case "text" -> text = Json.text(parser, name, TEXT_BYTES_MAX);
        case "undo_of" -> undoOf = Json.id(parser, name);
        case "time" -> timeMs = readTime(parser, timestampMs);
        default -> parser.skipChildren();
      }
    }
    if (parser.nextToken() != null) {
      throw new Refused("not-json: text behind the event");
    }
    Kind.Type kind = kindOf(type);
    require(actor, "actor");
    List<String> all = allTargets(target, targets);
    boolean needsEvent = kind.kind() == Kind.MENTION && (object == null || object.id() == null);
    if (kind.isUndo() && needsEvent) {
      require(undoOf, "undo_of");
    }
    if (timeMs > timestampMs + TIME_AHEAD_MS_MAX) {
      throw new Refused("time-ahead: time is more than 24 h ahead of the record's timestamp");
    }
    if (timeMs < TIME_MS_MIN) {
      throw new Refused("wrong-shape: time lies before the year 1");
    }
    return new Event(id, kind, actor, all, object, text, undoOf, timeMs);
  }

  private static Kind.Type kindOf(String type) throws Refused {
    require(type, "type");
    Kind.Type kind = Kind.typeOf(type);
    if (kind == null) {
      throw new Refused("unknown-type: type is not one that is known");
    }
    return kind;
  }

  private static void require(String value, String field) throws Refused {
    if (value == null || value.isEmpty()) {
      throw new Refused("missing-field: " + field + " is missing");
    }
  }

  private static List<String> allTargets(String target, List<String> targets) throws Refused {
    if (target == null && targets.isEmpty()) {
      throw new Refused("missing-field: target is missing");
    }
    if (target == null) {
      return targets;
    }
    if (targets.isEmpty()) {
      return List.of(target);
    }
    List<String> all = new ArrayList<>(targets.size() + 1);
    all.add(target);
    all.addAll(targets);
    return all;
  }

  private static List<String> readTargets(JsonParser parser) throws IOException, Refused {
    if (parser.currentToken() == JsonToken.VALUE_NULL) {
      return List.of();
    }
    if (parser.currentToken() != JsonToken.START_ARRAY) {
      throw new Refused("wrong-shape: targets is not an array");
    }
    List<String> targets = new ArrayList<>();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      String target = Json.id(parser, "targets");
      require(target, "an entry of targets");
      targets.add(target);
      if (targets.size() > TARGETS_MAX) {
        throw new Refused("limit: targets has more than " + TARGETS_MAX + " entries");
      }
    }
    return targets;
  }

  private static Event.Subject readObject(JsonParser parser) throws IOException, Refused {
    Json.expectObject(parser.currentToken(), "object");
    String type = null;
    String id = null;
    String title = null;
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = parser.currentName();
      parser.nextToken();
      switch (name) {
        case "type" -> type = Json.text(parser, "object.type", TYPE_BYTES_MAX);
        case "id" -> id = Json.id(parser, "object.id");
        case "title" -> title = Json.text(parser, "object.title", TITLE_BYTES_MAX);
        default -> parser.skipChildren();
      }
    }
    return new Event.Subject(type, id, title);
  }

  private static long readTime(JsonParser parser, long otherwise) throws IOException, Refused {
    return switch (parser.currentToken()) {
      case VALUE_NULL -> otherwise;
      case VALUE_STRING -> IsoTime.parse(parser.getText());
      case VALUE_NUMBER_INT -> parser.getLongValue();
      default -> throw new Refused("wrong-shape: time is neither a string nor an integer");
    };
  }
}
