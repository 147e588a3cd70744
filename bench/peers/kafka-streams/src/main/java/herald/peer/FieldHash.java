package herald.peer;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import net.openhft.hashing.LongTupleHashFunction;

/**
 * XXH3 in 128 bits of fields, each with its size before it, as docs/formats.md has it: so the ids of
 * the peer's notifications are Herald's. One thread.
 */
final class FieldHash {
  static final int BYTES = 16;

  private static final LongTupleHashFunction XXH3 = LongTupleHashFunction.xx128();

  private final long[] result = XXH3.newResultArray();
  private byte[] bytes = new byte[512];
  private int size;

  void add(String field) {
    add(field.getBytes(StandardCharsets.UTF_8));
  }

  void add(byte[] field) {
    if (size + 4 + field.length > bytes.length) {
      bytes = Arrays.copyOf(bytes, 2 * (size + 4 + field.length));
    }
    for (int shift = 0; shift < 32; shift += 8) {
      bytes[size++] = (byte) (field.length >> shift);
    }
    System.arraycopy(field, 0, bytes, size, field.length);
    size += field.length;
  }

  int mark() {
    return size;
  }

  void rewind(int mark) {
    size = mark;
  }

  byte[] finish() {
    XXH3.hashBytes(bytes, 0, size, result);
    return ByteBuffer.allocate(BYTES).putLong(result[1]).putLong(result[0]).array();
  }
}
