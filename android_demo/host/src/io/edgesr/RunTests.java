package io.edgesr;

import java.util.ArrayList;
import java.util.List;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.Result;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/** Runs test classes and prints a line for each test, and in the end how many passed. */
public final class RunTests {
  public static void main(String[] names) throws Exception {
    List<Class<?>> classes = new ArrayList<>();
    for (String name : names) classes.add(Class.forName(name));
    JUnitCore core = new JUnitCore();
    core.addListener(
        new RunListener() {
          private boolean failed;

          @Override
          public void testStarted(Description test) {
            failed = false;
          }

          @Override
          public void testFailure(Failure failure) {
            failed = true;
            System.out.println("FAIL " + name(failure.getDescription()) + "\n" + shorten(failure.getTrace()));
          }

          @Override
          public void testFinished(Description test) {
            if (!failed) System.out.println("ok   " + name(test));
          }
        });
    Result result = core.run(classes.toArray(new Class<?>[0]));
    int failed = result.getFailureCount();
    System.out.println("TESTS " + (result.getRunCount() - failed) + " passed, " + failed + " failed");
    System.exit(failed == 0 ? 0 : 1);
  }

  private static String name(Description test) {
    String type = test.getClassName();
    return type.substring(type.lastIndexOf('.') + 1) + "." + test.getMethodName();
  }

  private static String shorten(String trace) {
    String[] lines = trace.split("\n");
    StringBuilder result = new StringBuilder();
    for (int i = 0; i < Math.min(lines.length, 14); i++) result.append("     ").append(lines[i]).append('\n');
    return result.toString();
  }
}
