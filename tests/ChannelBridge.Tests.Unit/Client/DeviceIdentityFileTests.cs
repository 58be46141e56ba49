using ChannelBridge.Client.Devices;
using ChannelBridge.Client.Identity;
using ChannelBridge.Identity;

namespace ChannelBridge.Tests.Unit.Client;

public sealed class DeviceIdentityFileTests
{
    private readonly string _path = Path.Combine(Scratch.NewFolder("identity"), "new", "one.json");

    private static Task WriteAsync(DeviceIdentityFile file, string role, string token) =>
        file.WriteTokenAsync(new DeviceToken(role, token, ["operator.read"]), CancellationToken.None).AsTask();

    private static async Task<DeviceToken?> ReadAsync(DeviceIdentityFile file, string role = "operator") => await file.ReadTokenAsync(role, CancellationToken.None);

    [Fact]
    public async Task File_IsMadeForItsOwnerAlone_AndKeepsKeyAndTokens()
    {
        string id;
        using (var file = DeviceIdentityFile.Open(_path))
        {
            id = file.DeviceId;
            Assert.Null(await ReadAsync(file));
            await WriteAsync(file, "operator", "one");
            await WriteAsync(file, "node", "two");
        }

        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_path));
            Assert.Equal(
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.GetDirectoryName(_path)!));
        }

        using var again = DeviceIdentityFile.Open(_path);
        Assert.Equal(id, again.DeviceId);
        Assert.Equal("one", (await ReadAsync(again))!.Token);
        Assert.Equal("two", (await ReadAsync(again, "node"))!.Token);
        Assert.Equal(["operator.read"], (await ReadAsync(again))!.Scopes);
        Assert.Equal([_path], Directory.GetFiles(Path.GetDirectoryName(_path)!));
        Assert.DoesNotContain("one", (await ReadAsync(again))!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Token_ThatAnotherProcessStored_IsSeen_AndNotForgottenForAnother()
    {
        using var file = DeviceIdentityFile.Open(_path);
        using var other = DeviceIdentityFile.Open(_path);
        await WriteAsync(file, "operator", "old");
        var old = await ReadAsync(other);
        await WriteAsync(other, "operator", "new");
        Assert.Equal("new", (await ReadAsync(file))!.Token);
        await file.ForgetTokenAsync(old!, CancellationToken.None);
        Assert.Equal("new", (await ReadAsync(file))!.Token);
        await file.ForgetTokenAsync((await ReadAsync(file))!, CancellationToken.None);
        Assert.Null(await ReadAsync(other));
    }

    [Fact]
    public async Task Open_ByManyAtOnce_IsOneKey()
    {
        var files = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => DeviceIdentityFile.Open(_path))));
        Assert.Single(files.Select(file => file.DeviceId).Distinct());
        foreach (var file in files) file.Dispose();
    }

    [Fact]
    public async Task Passphrase_OpensTheKeyAndNoOtherDoes()
    {
        using (var file = DeviceIdentityFile.Open(_path, "open sesame")) await WriteAsync(file, "operator", "one");
        Assert.Contains("ENCRYPTED", await File.ReadAllTextAsync(_path), StringComparison.Ordinal);
        Assert.Equal(IdentityFault.PassphraseWrong, Assert.Throws<IdentityException>(() => DeviceIdentityFile.Open(_path, "wrong")).Fault);
        Assert.Equal(IdentityFault.PassphraseNeeded, Assert.Throws<IdentityException>(() => DeviceIdentityFile.Open(_path)).Fault);
        using var again = DeviceIdentityFile.Open(_path, "open sesame");
        Assert.Equal("one", (await ReadAsync(again))!.Token);
    }

    [Theory]
    [InlineData("", IdentityFault.Malformed)]
    [InlineData("no json, but a secret", IdentityFault.Malformed)]
    [InlineData("""{"version":1}""", IdentityFault.Malformed)]
    [InlineData("""{"version":1,"privateKey":"secret"}""", IdentityFault.Malformed)]
    [InlineData("""{"version":1,"privateKey":"secret","tokens":null}""", IdentityFault.Malformed)]
    [InlineData("""{"version":2,"privateKey":"secret"}""", IdentityFault.Unsupported)]
    public void Damaged_SaysWhichFileAndNoSecret(string text, IdentityFault fault)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        File.WriteAllText(_path, text);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(_path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var error = Assert.Throws<IdentityException>(() => DeviceIdentityFile.Open(_path));
        Assert.Equal(fault, error.Fault);
        Assert.Contains(_path, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.ToString().Replace(_path, "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal(text, File.ReadAllText(_path));
    }

    [Fact]
    public void ReadableByOthers_IsRefused()
    {
        if (OperatingSystem.IsWindows()) return;
        DeviceIdentityFile.Open(_path).Dispose();
        File.SetUnixFileMode(_path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        Assert.Equal(IdentityFault.NotPrivate, Assert.Throws<IdentityException>(() => DeviceIdentityFile.Open(_path)).Fault);
    }

    [Fact]
    public void DefaultPath_IsOneForEachGateway()
    {
        var paths = new[] { "ws://a:1", "ws://a:2", "wss://b/x", "wss://b/y", "ws://[::1]:5" }.Select(DeviceIdentityFile.DefaultPath).ToList();
        Assert.Equal(paths.Count, paths.Distinct().Count());
        Assert.Equal(DeviceIdentityFile.DefaultPath("ws://a:1"), DeviceIdentityFile.DefaultPath("a:1"));
        Assert.Equal(DeviceIdentityFile.DefaultPath("ws://a:1"), DeviceIdentityFile.DefaultPath("ws://A:1/"));
        Assert.All(paths, path => Assert.Matches("^[A-Za-z0-9.-]+$", Path.GetFileName(path)));
    }
}
