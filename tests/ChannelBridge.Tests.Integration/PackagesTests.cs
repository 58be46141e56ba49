using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace ChannelBridge.Tests.Integration;

/// <summary>What a stranger does with the packages alone, outside of the repository: a host of one's own, and a channel of one's own from the template.</summary>
public sealed class PackagesTests(PackagesTests.Packed packed) : IClassFixture<PackagesTests.Packed>
{
    // Not the shared cache: a package of this version may lie there from another day.
    private static string Fallback => Environment.GetEnvironmentVariable("NUGET_PACKAGES")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    [Fact]
    public async Task Channel_OutsideTheRepository_BuildsFromPackagesAndAnswers()
    {
        var folder = Scratch.NewFolder("cbpackages");
        var project = Directory.CreateDirectory(Path.Combine(folder, "MyChannel")).FullName;
        foreach (var file in Directory.GetFiles(Path.Combine(Repository(), "samples", "channel-csharp"), "*.cs")) File.Copy(file, Path.Combine(project, Path.GetFileName(file)));
        await File.WriteAllTextAsync(Path.Combine(project, "nuget.config"), $"""
            <configuration><packageSources><add key="channelbridge" value="{packed.Folder}" /></packageSources></configuration>
            """);
        await File.WriteAllTextAsync(Path.Combine(project, "MyChannel.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <RestorePackagesPath>{Path.Combine(folder, "cache")}</RestorePackagesPath>
                <RestoreFallbackFolders>{Fallback}</RestoreFallbackFolders>
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

    [Fact]
    public async Task Template_OutsideTheRepository_BuildsFromPackages_PassesItsTests_AndIsAPlugin()
    {
        var folder = Scratch.NewFolder("cbtemplate");
        var hive = Path.Combine(folder, "hive");
        await RunAsync(folder, "dotnet", "new", "install", Path.Combine(packed.Folder, "ChannelBridge.Templates.0.1.0.nupkg"), "--debug:custom-hive", hive);
        await RunAsync(folder, "dotnet", "new", "channelbridge-channel", "-n", "WeatherChat", "--packages", packed.Folder, "--debug:custom-hive", hive);
        var made = Path.Combine(folder, "WeatherChat");
        var tested = await RunAsync(
            made, "dotnet", "test", "WeatherChat.Tests", "--nologo", $"-p:RestorePackagesPath={Path.Combine(folder, "cache")}", $"-p:RestoreFallbackFolders={Fallback}");
        // Each check of the compliance suite is a test of the channel's.
        Assert.True(Regex.IsMatch(tested, "Passed! .*Failed: +0, Passed: +11,"), tested);
        var check = await HostProcess.RunAsync(["plugin", "check", Path.Combine(made, "WeatherChat", "bin", "Debug", "net10.0")]);
        Assert.True(check.ExitCode == 0, check.Output + check.Errors);
    }

    private static async Task<string> RunAsync(string folder, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        // The test runner's own: a build of another project must not take them for its.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBuild", StringComparison.OrdinalIgnoreCase)).ToArray()) start.Environment.Remove(name);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}\n{await output}\n{await errors}");
        return await output;
    }

    private static string Configuration() => new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    private static string Repository([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));

    /// <summary>The packages, made once of what the tests were built from, as it is.</summary>
    public sealed class Packed : IAsyncLifetime
    {
        public string Folder { get; } = Path.Combine(Scratch.NewFolder("cbpacked"), "packages");

        public async Task InitializeAsync() =>
            await RunAsync(Repository(), "dotnet", "pack", "ChannelBridge.sln", "--no-build", "--nologo", "-v:q", "-c", Configuration(), "-o", Folder);

        public Task DisposeAsync() => Task.CompletedTask;
    }
}
