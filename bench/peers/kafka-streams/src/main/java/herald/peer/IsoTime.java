package herald.peer;

import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.OffsetDateTime;

/** ISO 8601 to milliseconds and back. What nearly all have, "...T05:00:00.000Z", has a short way. */
final class IsoTime {
  private static final long MS_PER_DAY = 86_400_000;
  private static final int USUAL_LENGTH = "2026-11-21T05:00:00.000Z".length();

  private IsoTime() {}

  static long parse(String text) throws Refused {
    try {
      if (text.length() == USUAL_LENGTH && text.charAt(23) == 'Z' && text.charAt(19) == '.') {
        int hour = digits(text, 11, 2);
        int minute = digits(text, 14, 2);
        int second = digits(text, 17, 2);
        int ms = digits(text, 20, 3);
        if (text.charAt(4) == '-' && text.charAt(7) == '-' && text.charAt(10) == 'T'
            && text.charAt(13) == ':' && text.charAt(16) == ':'
            && hour < 24 && minute < 60 && second < 60) {
          long days =
              LocalDate.of(digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2)).toEpochDay();
          return days * MS_PER_DAY + ((hour * 60L + minute) * 60 + second) * 1000 + ms;
        }
      }
      return OffsetDateTime.parse(text).toInstant().toEpochMilli();
    } catch (DateTimeException error) {
      throw new Refused("wrong-shape: time is not ISO 8601 with Z or an offset");
    }
  }

  static String format(long ms) {
    LocalDate date = LocalDate.ofEpochDay(Math.floorDiv(ms, MS_PER_DAY));
    int inDay = (int) Math.floorMod(ms, MS_PER_DAY);
    byte[] out = new byte[USUAL_LENGTH];
    put(out, 0, 4, date.getYear());
    out[4] = '-';
    put(out, 5, 2, date.getMonthValue());
    out[7] = '-';
    put(out, 8, 2, date.getDayOfMonth());
    out[10] = 'T';
    put(out, 11, 2, inDay / 3_600_000);
    out[13] = ':';
    put(out, 14, 2, inDay / 60_000 % 60);
    out[16] = ':';
    put(out, 17, 2, inDay / 1000 % 60);
    out[19] = '.';
    put(out, 20, 3, inDay % 1000);
    out[23] = 'Z';
    return new String(out, java.nio.charset.StandardCharsets.ISO_8859_1);
  }

  private static int digits(String text, int from, int count) {
    int number = 0;
    for (int i = from; i < from + count; i++) {
      int digit = text.charAt(i) - '0';
      if (digit < 0 || digit > 9) {
        throw new DateTimeException("not a digit");
      }
      number = number * 10 + digit;
    }
    return number;
  }

  private static void put(byte[] out, int at, int count, int number) {
    for (int i = at + count - 1; i >= at; i--) {
      out[i] = (byte) ('0' + number % 10);
      number /= 10;
    }
  }
}
