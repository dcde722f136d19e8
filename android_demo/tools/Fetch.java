import java.io.File;
import java.util.List;
import org.apache.maven.artifact.Artifact;
import org.apache.maven.execution.DefaultMavenExecutionRequest;
import org.apache.maven.execution.MavenExecutionRequest;
import org.apache.maven.execution.MavenExecutionRequestPopulator;
import org.apache.maven.internal.aether.DefaultRepositorySystemSessionFactory;
import org.apache.maven.project.ProjectBuilder;
import org.apache.maven.project.ProjectBuildingRequest;
import org.apache.maven.settings.building.DefaultSettingsBuildingRequest;
import org.apache.maven.settings.building.SettingsBuilder;
import org.codehaus.plexus.DefaultContainerConfiguration;
import org.codehaus.plexus.DefaultPlexusContainer;
import org.codehaus.plexus.PlexusConstants;
import org.codehaus.plexus.classworlds.ClassWorld;

/**
 * Resolves the dependencies of a POM's profiles by Maven's own libraries, as they came with the system, into a repository
 * of its own: {@code Fetch POM REPOSITORY PROFILE...}. Prints a line for each: profile, file and scope between tabs.
 * With {@code -Doffline=true} nothing is fetched that is not there. Maven's command would do
 * it by a plugin, which is fetched and run before anybody could check it.
 */
public final class Fetch {
    public static void main(String[] arguments) throws Exception {
        File pom = new File(arguments[0]);
        DefaultPlexusContainer container = new DefaultPlexusContainer(
                new DefaultContainerConfiguration()
                        .setClassWorld(new ClassWorld("plexus.core", Fetch.class.getClassLoader()))
                        .setClassPathScanning(PlexusConstants.SCANNING_INDEX)
                        .setAutoWiring(true)
                        .setName("maven"));
        DefaultSettingsBuildingRequest settings = new DefaultSettingsBuildingRequest();
        settings.setGlobalSettingsFile(new File(System.getProperty("maven.home"), "conf/settings.xml"));
        settings.setUserSettingsFile(new File(System.getProperty("user.home"), ".m2/settings.xml"));
        settings.setSystemProperties(System.getProperties());
        MavenExecutionRequest request = new DefaultMavenExecutionRequest();
        MavenExecutionRequestPopulator populator = container.lookup(MavenExecutionRequestPopulator.class);
        populator.populateFromSettings(
                request, container.lookup(SettingsBuilder.class).build(settings).getEffectiveSettings());
        request.setLocalRepositoryPath(new File(arguments[1]));
        request.setLocalRepository(null);
        request.setOffline(Boolean.getBoolean("offline"));
        populator.populateDefaults(request);
        request.setSystemProperties(System.getProperties());
        var session = container.lookup(DefaultRepositorySystemSessionFactory.class).newRepositorySession(request);
        for (String profile : List.of(arguments).subList(2, arguments.length)) {
            ProjectBuildingRequest project = request.getProjectBuildingRequest();
            project.setRepositorySession(session);
            project.setProcessPlugins(false);
            project.setResolveDependencies(true);
            project.setActiveProfileIds(List.of(profile));
            var built = container.lookup(ProjectBuilder.class).build(pom, project);
            var failed = built.getDependencyResolutionResult().getUnresolvedDependencies();
            if (!failed.isEmpty()) {
                throw new IllegalStateException(built.getDependencyResolutionResult().getResolutionErrors(failed.get(0)).toString());
            }
            for (Artifact artifact : built.getProject().getArtifacts()) {
                System.out.println(profile + "\t" + artifact.getFile() + "\t" + artifact.getScope());
            }
        }
    }
}
