package herald.peer;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Keys and values of the three stores, in the manner of docs/formats.md: keys begin with the
 * recipient and order as their bytes do, so that an inbox is one range, newest first.
 */
final class InboxRows {
  private InboxRows() {}

  /** Of one recipient; the version numbers the changes, `oldest` is older than all that is kept. */
  record Head(long version, long total, long unread, long oldestMs, long oldestArrival) {
    static final Head EMPTY = new Head(0, 0, 0, 0, 0);
    private static final int BYTES = 5 * Long.BYTES;

    static Head decode(byte[] row) {
      if (row == null) {
        return EMPTY;
      }
      ByteBuffer in = ByteBuffer.wrap(row);
      return new Head(in.getLong(), in.getLong(), in.getLong(), in.getLong(), in.getLong());
    }

    byte[] encode() {
      return ByteBuffer.allocate(BYTES)
          .putLong(version).putLong(total).putLong(unread).putLong(oldestMs).putLong(oldestArrival)
          .array();
    }

    Head withItem(long timeMs, long arrival) {
      boolean isOldest = total == 0 || timeMs < oldestMs;
      return new Head(
          arrival, total + 1, unread + 1, isOldest ? timeMs : oldestMs,
          isOldest ? arrival : oldestArrival);
    }

    Head withoutItem(boolean wasRead) {
      return new Head(
          version + 1, total - 1, wasRead ? unread : unread - 1, oldestMs, oldestArrival);
    }

    Head withOldest(long timeMs, long arrival) {
      return new Head(version, total, unread, timeMs, arrival);
    }
  }

  /** What is known of an identity: whether its row stands and where, and what decided that when. */
  record Identity(
      boolean stands, long decidedMs, long itemMs, long itemArrival, byte[] laterJson) {
    private static final int BYTES = 1 + 3 * Long.BYTES;

    static Identity decode(byte[] row) {
      ByteBuffer in = ByteBuffer.wrap(row);
      boolean stands = in.get() != 0;
      long decidedMs = in.getLong();
      long itemMs = in.getLong();
      long itemArrival = in.getLong();
      return new Identity(
          stands, decidedMs, itemMs, itemArrival, Arrays.copyOfRange(row, BYTES, row.length));
    }

    static Identity undone(long decidedMs) {
      return new Identity(false, decidedMs, 0, 0, new byte[0]);
    }

    byte[] encode() {
      return ByteBuffer.allocate(BYTES + laterJson.length)
          .put((byte) (stands ? 1 : 0)).putLong(decidedMs).putLong(itemMs).putLong(itemArrival)
          .put(laterJson)
          .array();
    }
  }

  /** A row of an inbox: flags, the identity, and the notification as it lay on its topic. */
  static final class Item {
    static final int FLAGS_BYTES = 1;
    static final int HEADER_BYTES = FLAGS_BYTES + FieldHash.BYTES;
    private static final int READ = 1;

    private Item() {}

    static byte[] encode(byte[] identity, byte[] json) {
      return ByteBuffer.allocate(HEADER_BYTES + json.length)
          .put((byte) 0).put(identity).put(json).array();
    }

    static boolean isRead(byte[] row) {
      return (row[0] & READ) != 0;
    }

    static byte[] identity(byte[] row) {
      return Arrays.copyOfRange(row, FLAGS_BYTES, HEADER_BYTES);
    }
  }

  /** The recipient's bytes with 00 written as 00 ff, then 00 01. */
  static byte[] prefix(byte[] recipient) {
    int zeros = 0;
    for (byte b : recipient) {
      zeros += b == 0 ? 1 : 0;
    }
    byte[] prefix = new byte[recipient.length + zeros + 2];
    int at = 0;
    for (byte b : recipient) {
      prefix[at++] = b;
      if (b == 0) {
        prefix[at++] = (byte) 0xff;
      }
    }
    prefix[at + 1] = 1;
    return prefix;
  }

  static byte[] prefix(String recipient) {
    return prefix(recipient.getBytes(StandardCharsets.UTF_8));
  }

  static byte[] identityKey(byte[] prefix, byte[] identity) {
    byte[] key = Arrays.copyOf(prefix, prefix.length + identity.length);
    System.arraycopy(identity, 0, key, prefix.length, identity.length);
    return key;
  }

  /** Newest first: the time with its sign turned round and the arrival, both inverted. */
  static byte[] itemKey(byte[] prefix, long timeMs, long arrival) {
    return ByteBuffer.allocate(prefix.length + 2 * Long.BYTES)
        .put(prefix).putLong(~(timeMs ^ Long.MIN_VALUE)).putLong(~arrival).array();
  }

  static long timeOf(byte[] itemKey) {
    return ~ByteBuffer.wrap(itemKey).getLong(itemKey.length - 2 * Long.BYTES) ^ Long.MIN_VALUE;
  }

  static long arrivalOf(byte[] itemKey) {
    return ~ByteBuffer.wrap(itemKey).getLong(itemKey.length - Long.BYTES);
  }

  static byte[] firstItem(byte[] prefix) {
    return prefix;
  }

  static byte[] lastItem(byte[] prefix) {
    byte[] key = Arrays.copyOf(prefix, prefix.length + 2 * Long.BYTES);
    Arrays.fill(key, prefix.length, key.length, (byte) 0xff);
    return key;
  }

  /** Appends the row as it is served: its JSON with `read` and `seen` before the closing brace. */
  static void appendServed(ByteArrayOutputStream out, byte[] row) {
    byte[] flags = Item.isRead(row) ? SERVED_READ : SERVED_UNREAD;
    out.write(row, Item.HEADER_BYTES, row.length - Item.HEADER_BYTES - 1);
    out.write(flags, 0, flags.length);
  }

  private static final byte[] SERVED_READ =
      ",\"read\":true,\"seen\":true}".getBytes(StandardCharsets.UTF_8);
  private static final byte[] SERVED_UNREAD =
      ",\"read\":false,\"seen\":false}".getBytes(StandardCharsets.UTF_8);
}
