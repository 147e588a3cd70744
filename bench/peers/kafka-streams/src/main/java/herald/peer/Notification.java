package herald.peer;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;

/** What the inbox needs of a notification; `json` is the record as it came. */
record Notification(byte[] identity, long timeMs, boolean retracted, byte[] json) {
  private static final long VERSION = 1;
  private static final int HEX_DIGITS = 2 * FieldHash.BYTES;

  static Notification read(byte[] key, byte[] value) throws Refused {
    if (value == null) {
      throw new Refused("null-value: a notification cannot be null");
    }
    try (JsonParser parser = Json.FACTORY.createParser(value)) {
      return read(parser, key, value);
    } catch (IOException error) {
      throw new Refused("not-json");
    }
  }

  private static Notification read(JsonParser parser, byte[] key, byte[] value)
      throws IOException, Refused {
    Json.expectObject(parser.nextToken(), "the notification");
    long version = 0;
    String id = null;
    String recipient = null;
    boolean retracted = false;
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = parser.currentName();
      JsonToken token = parser.nextToken();
      switch (name) {
        case "v" -> version = token == JsonToken.VALUE_NUMBER_INT ? parser.getLongValue() : 0;
        case "id" -> id = Json.text(parser, name, Json.ID_BYTES_MAX);
        case "recipient" -> recipient = Json.id(parser, name);
        case "retracted" -> retracted = token == JsonToken.VALUE_TRUE;
        default -> parser.skipChildren();
      }
    }
    if (version != VERSION) {
      throw new Refused("wrong-shape: v is not a format version that is known");
    }
    if (recipient == null || !Arrays.equals(recipient.getBytes(StandardCharsets.UTF_8), key)) {
      throw new Refused("wrong-shape: recipient differs from the record's key");
    }
    if (id == null || id.length() < HEX_DIGITS + 2 || id.charAt(HEX_DIGITS) != '-') {
      throw new Refused("wrong-shape: id is not a notification's");
    }
    try {
      return new Notification(
          HexFormat.of().parseHex(id, 0, HEX_DIGITS),
          Long.parseLong(id, HEX_DIGITS + 1, id.length(), 10),
          retracted,
          value);
    } catch (IllegalArgumentException error) {
      throw new Refused("wrong-shape: id is not a notification's");
    }
  }
}
