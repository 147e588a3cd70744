package herald.peer;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;

/** Somebody's name, handle and avatar; what is not known is null. */
record User(String name, String handle, String avatarUrl) {
  private static final int NAME_BYTES_MAX = 256;
  private static final int AVATAR_URL_BYTES_MAX = 2048;

  static final User UNKNOWN = new User(null, null, null);

  /** `value` is a record of topic users; what cannot be read is nobody. */
  static User read(byte[] value) {
    String userName = null;
    String handle = null;
    String avatarUrl = null;
    try (JsonParser parser = Json.FACTORY.createParser(value)) {
      Json.expectObject(parser.nextToken(), "the user");
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        parser.nextToken();
        switch (name) {
          case "name" -> userName = Json.text(parser, name, NAME_BYTES_MAX);
          case "handle" -> handle = Json.text(parser, name, NAME_BYTES_MAX);
          case "avatar_url" -> avatarUrl = Json.text(parser, name, AVATAR_URL_BYTES_MAX);
          default -> parser.skipChildren();
        }
      }
    } catch (IOException | Refused error) {
      return UNKNOWN;
    }
    return new User(userName, handle, avatarUrl);
  }
}
