using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace ChannelBridge.Tests.Integration;

/// <summary>A host of one's own from packages alone, outside of the repository: what a stranger does with docs/writing-a-channel.md.</summary>
public sealed class PackagesTests
{
    [Fact]
    public async Task Channel_OutsideTheRepository_BuildsFromPackagesAndAnswers()
    {
        var repository = Repository();
        var folder = Scratch.NewFolder("cbpackages");
        var packages = Path.Combine(folder, "packages");
        // What the tests were built from, as it is.
        await RunAsync(repository, "dotnet", "pack", "ChannelBridge.sln", "--no-build", "--nologo", "-v:q", "-c", Configuration(), "-o", packages);
        var project = Directory.CreateDirectory(Path.Combine(folder, "MyChannel")).FullName;
        foreach (var file in Directory.GetFiles(Path.Combine(repository, "samples", "channel-csharp"), "*.cs")) File.Copy(file, Path.Combine(project, Path.GetFileName(file)));
        await File.WriteAllTextAsync(Path.Combine(project, "nuget.config"), $"""
            <configuration><packageSources><add key="channelbridge" value="{packages}" /></packageSources></configuration>
            """);
        await File.WriteAllTextAsync(Path.Combine(project, "MyChannel.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <!-- Not the shared cache: a package of this version may lie there from another day. -->
                <RestorePackagesPath>{Path.Combine(folder, "cache")}</RestorePackagesPath>
                <RestoreFallbackFolders>{Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages")}</RestoreFallbackFolders>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="ChannelBridge.Core" Version="0.1.0" />
                <PackageReference Include="ChannelBridge.Storage.Sqlite" Version="0.1.0" />
                <PackageReference Include="ChannelBridge.Endpoints" Version="0.1.0" />
                <PackageReference Include="ChannelBridge.OpenClaw" Version="0.1.0" />
              </ItemGroup>
            </Project>
            """);
        await RunAsync(project, "dotnet", "build", "--nologo", "-v:q", "-o", Path.Combine(folder, "bin"));

        var letters = Path.Combine(folder, "letters");
        using var host = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(folder, "bin", "MyChannel.dll"), letters]) { RedirectStandardOutput = true })!;
        try
        {
            Assert.Equal("ready", await host.StandardOutput.ReadLineAsync().WaitAsync(HostProcess.Timeout));
            var answers = Path.Combine(letters, "out");
            using var watcher = new FileSystemWatcher(answers, "*.txt");
            var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            watcher.Renamed += (_, _) => answered.TrySetResult();
            watcher.EnableRaisingEvents = true;
            await File.WriteAllTextAsync(Path.Combine(letters, "in", "alice.part"), "hello");
            File.Move(Path.Combine(letters, "in", "alice.part"), Path.Combine(letters, "in", "alice.txt"));
            await answered.Task.WaitAsync(HostProcess.Timeout);
            Assert.Equal("echo: hello", (await File.ReadAllTextAsync(Assert.Single(Directory.GetFiles(answers, "*.txt")))).Trim());
        }
        finally
        {
            host.Kill();
            await host.WaitForExitAsync();
        }
    }

    private static async Task RunAsync(string folder, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        // The test runner's own: a build of another project must not take them for its.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBuild", StringComparison.OrdinalIgnoreCase)).ToArray()) start.Environment.Remove(name);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}\n{await output}\n{await errors}");
    }

    private static string Configuration() => new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    private static string Repository([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));
}
