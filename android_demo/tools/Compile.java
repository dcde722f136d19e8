import java.nio.file.Files;
import java.nio.file.Path;
import org.jetbrains.kotlin.cli.common.ExitCode;
import org.jetbrains.kotlin.cli.jvm.K2JVMCompiler;

/** Compiles several modules in one warm JVM: each argument is a file with a compiler's arguments, one a line. */
public final class Compile {
  public static void main(String[] files) throws Exception {
    for (String file : files) {
      String[] arguments = Files.readAllLines(Path.of(file)).toArray(new String[0]);
      ExitCode code = new K2JVMCompiler().exec(System.out, arguments);
      if (code != ExitCode.OK) System.exit(1);
      System.out.println("COMPILED " + file);
    }
    System.exit(0);
  }
}
