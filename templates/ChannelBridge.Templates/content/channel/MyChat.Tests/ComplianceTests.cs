using ChannelBridge.Plugins.Testing;

namespace MyChat.Tests;

/// <summary>What every channel must do, with the channel as the process that a host would start.</summary>
public sealed class ComplianceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mychat").FullName;

    public static TheoryData<string> Checks => [.. ChannelCompliance.Checks];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Checks))]
    public async Task MyChat_Complies(string check)
    {
        // The plugin and its manifest are copied beside the tests.
        await using var host = ChannelHost.AroundPlugin(_folder, AppContext.BaseDirectory);
        await new ChannelCompliance(host, new FolderPlatform()).RunAsync(check);
    }
}
