using ChannelBridge.Host;
using ChannelBridge.Host.Composition;

namespace ChannelBridge.Tests.Unit.Host;

public sealed class FileTrustTests : IDisposable
{
    private const UnixFileMode OwnersFolder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly DirectoryInfo _parent = Directory.CreateTempSubdirectory("cbtrust");

    private string Data => Path.Combine(_parent.FullName, "data");

    public void Dispose() => _parent.Delete(recursive: true);

    [Fact]
    public void Open_FolderThatOthersCanWrite_IsRefusedUnlessItIsEmpty()
    {
        if (OperatingSystem.IsWindows()) return;
        Directory.CreateDirectory(Data);
        File.SetUnixFileMode(Data, (UnixFileMode)0b111_111_111);
        DataFolder.Open(Data).Dispose();
        Assert.Equal(OwnersFolder, File.GetUnixFileMode(Data));

        File.SetUnixFileMode(Data, (UnixFileMode)0b111_101_111);
        var fault = Assert.Throws<HostStartException>(() => DataFolder.Open(Data));
        Assert.Equal(ExitCodes.Store, fault.ExitCode);
        Assert.Contains("chmod go-w", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_LockThatIsALink_IsNotFollowed()
    {
        if (OperatingSystem.IsWindows()) return;
        Directory.CreateDirectory(Data, OwnersFolder);
        var elsewhere = Path.Combine(_parent.FullName, "elsewhere");
        File.WriteAllText(elsewhere, "precious");
        File.CreateSymbolicLink(Path.Combine(Data, "host.lock"), elsewhere);
        Assert.Contains("is a link", Assert.Throws<HostStartException>(() => DataFolder.Open(Data)).Message, StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(elsewhere));
    }

    [Fact]
    public void TakeToken_LinkOrWritableByOthers_IsRefused()
    {
        if (OperatingSystem.IsWindows()) return;
        using var folder = DataFolder.Open(Data);
        var elsewhere = Path.Combine(_parent.FullName, "elsewhere");
        File.WriteAllText(elsewhere, "a-token-of-somebody-else");
        File.CreateSymbolicLink(folder.TokenPath, elsewhere);
        Assert.Contains("is a link", Assert.Throws<HostStartException>(() => folder.TakeToken(null, out _)).Message,
            StringComparison.Ordinal);
        File.Delete(folder.TokenPath);
        File.WriteAllText(folder.TokenPath, "a-token-that-was-planted");
        File.SetUnixFileMode(folder.TokenPath, (UnixFileMode)0b110_000_010);
        Assert.Contains("other users can write", Assert.Throws<HostStartException>(() => folder.TakeToken(null, out _)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void TakeToken_AnotherOneThanBefore_SaysThatItReplacesIt()
    {
        using var folder = DataFolder.Open(Data);
        folder.TakeToken(null, out var made);
        Assert.True(made);
        Assert.Empty(folder.Warnings);
        folder.TakeToken("another-token-by-option", out _);
        Assert.Contains("was replaced", folder.Warnings.Single(), StringComparison.Ordinal);
        folder.TakeToken("another-token-by-option", out _);
        Assert.Single(folder.Warnings);
    }

    [Fact]
    public void Owner_OfOurOwnFile_IsUs()
    {
        if (!OperatingSystem.IsLinux()) return;
        Assert.NotNull(FileTrust.Owner(_parent.FullName));
        Assert.Null(FileTrust.OwnerProblem(_parent.FullName));
    }
}
