package herald.peer;

/** A record that becomes a dead letter. Without a stack trace: it is an answer, not an accident. */
final class Refused extends Exception {
  private static final long serialVersionUID = 1;

  Refused(String reason) {
    super(reason, null, false, false);
  }
}
