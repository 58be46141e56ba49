using System.IO.Compression;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Identity;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Packages;

namespace ChannelBridge.Tests.Plugins;

public sealed class SignatureTests : IDisposable
{
    private readonly IdentityKey _key = IdentityKey.Create();
    private readonly string _data = Scratch.NewFolder("signed");

    private string PublicKey => Convert.ToBase64String(_key.PublicKey.Span);

    [Fact]
    public async Task SignedByATrustedKey_IsInstalled_AndKnownByItsName()
    {
        var store = new PluginStore(_data);
        store.Trusted.Add("ann", PublicKey);
        var plugin = await store.InstallAsync(await PackAsync("1.0.0"), new PluginInstallRules { RequireSignature = true });
        Assert.Equal(PublicKey, plugin.SignedBy);
        Assert.Null(await store.VerifyAsync(plugin, requireSignature: true));
        Assert.Equal("ann", store.Trusted.NameOf(PublicKey));
        Assert.True(store.Trusted.Remove("ann"));
        Assert.Contains(PublicKey, await store.VerifyAsync(plugin, requireSignature: false), StringComparison.Ordinal);
        await RefusedAsync(ErrorCodes.Forbidden, "isn't a trusted key", () => store.VerifyAsync(plugin, requireSignature: true));
    }

    [Fact]
    public async Task UnsignedOrByAnotherKey_IsRefusedWhereASignatureIsRequired_AndChangesNothing()
    {
        var store = new PluginStore(_data);
        var strict = new PluginInstallRules { RequireSignature = true };
        await RefusedAsync(ErrorCodes.Forbidden, "isn't signed", async () => await store.InstallAsync(await PackAsync("1.0.0", key: null), strict));
        await RefusedAsync(ErrorCodes.Forbidden, "isn't a trusted key", async () => await store.InstallAsync(await PackAsync("1.0.0"), strict));
        Assert.Null(store.Find("signed"));
        var plugin = await store.InstallAsync(await PackAsync("1.0.0", key: null), new PluginInstallRules());
        Assert.Contains("isn't signed", await store.VerifyAsync(plugin, requireSignature: false), StringComparison.Ordinal);
    }

    [Fact]
    public async Task UpdateByAnotherOrWithoutASignature_IsRefused()
    {
        var store = new PluginStore(_data);
        await store.InstallAsync(await PackAsync("1.0.0"), new PluginInstallRules());
        using var other = IdentityKey.Create();
        await RefusedAsync(ErrorCodes.Forbidden, "is signed by", async () => await store.InstallAsync(await PackAsync("1.1.0", other), new PluginInstallRules()));
        await RefusedAsync(ErrorCodes.Forbidden, "isn't signed", async () => await store.InstallAsync(await PackAsync("1.1.0", key: null), new PluginInstallRules()));
        Assert.Equal("1.0.0", store.Find("signed")!.Manifest.Version);
        Assert.Equal("1.1.0", (await store.InstallAsync(await PackAsync("1.1.0"), new PluginInstallRules())).Manifest.Version);
    }

    [Theory]
    [InlineData("changed")]
    [InlineData("added")]
    [InlineData("removed")]
    [InlineData("executable's manifest")]
    public async Task ChangeAfterSigning_IsRefusedByTheFilesName(string change)
    {
        var package = await PackAsync("1.0.0");
        var expected = change switch
        {
            "added" => "more.py: was added",
            "removed" => "b.py: was removed",
            "changed" => "b.py: was changed",
            _ => "channelbridge.plugin.json: was changed"
        };
        using (var archive = ZipFile.Open(package, ZipArchiveMode.Update))
        {
            if (change == "removed") archive.GetEntry("b.py")!.Delete();
            else
            {
                var entry = change == "added" ? archive.CreateEntry("more.py") : archive.GetEntry(change == "changed" ? "b.py" : PluginManifest.FileName)!;
                using var writer = new StreamWriter(entry.Open());
                writer.BaseStream.Seek(0, SeekOrigin.End);
                writer.Write("\n ");
            }
        }

        await RefusedAsync(ErrorCodes.InvalidRequest, expected, () => new PluginStore(_data).InstallAsync(package, new PluginInstallRules()));
    }

    [Fact]
    public async Task ChangeAfterInstalling_IsFoundAtTheStart_AlsoWhenTheSignatureIsTakenAway()
    {
        var store = new PluginStore(_data);
        var plugin = await store.InstallAsync(await PackAsync("1.0.0"), new PluginInstallRules());
        var added = Path.Combine(plugin.Folder, "__pycache__", "b.pyc");
        Directory.CreateDirectory(Path.GetDirectoryName(added)!);
        await File.WriteAllTextAsync(added, "x");
        await RefusedAsync(ErrorCodes.InvalidRequest, "__pycache__/b.pyc: was added", () => store.VerifyAsync(plugin, requireSignature: false));
        File.Delete(Path.Combine(plugin.Folder, PluginSignature.FileName));
        await RefusedAsync(ErrorCodes.Forbidden, "isn't signed as it was", () => store.VerifyAsync(plugin, requireSignature: false));
    }

    [Fact]
    public async Task SignatureOfAnotherPluginOrKey_IsRefused()
    {
        var package = await PackAsync("1.0.0");
        using var other = IdentityKey.Create();
        Rewrite(package, text => text.Replace(PublicKey, Convert.ToBase64String(other.PublicKey.Span), StringComparison.Ordinal));
        await RefusedAsync(ErrorCodes.InvalidRequest, "isn't the one of its key", () => new PluginStore(_data).InstallAsync(package, new PluginInstallRules()));
        package = await PackAsync("1.0.0");
        Rewrite(package, text => text.Replace("\"signed\"", "\"other\"", StringComparison.Ordinal));
        await RefusedAsync(ErrorCodes.InvalidRequest, "it is of other 1.0.0", () => new PluginStore(_data).InstallAsync(package, new PluginInstallRules()));
        package = await PackAsync("1.0.0");
        Rewrite(package, _ => "{}");
        await RefusedAsync(ErrorCodes.InvalidRequest, "isn't what 'plugin pack --sign' writes", () => new PluginStore(_data).InstallAsync(package, new PluginInstallRules()));
    }

    [Theory]
    [InlineData("", "AAAA")]
    [InlineData("a b", null)]
    [InlineData("ann", "AAAA")]
    [InlineData("ann", "no base64")]
    [InlineData("ann", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    public void KeyThatIsNone_IsNotTrusted(string name, string? key)
    {
        var trusted = new TrustedKeys(_data);
        Assert.Throws<BridgeException>(() => trusted.Add(name, key ?? PublicKey));
        Assert.Empty(trusted.List());
    }

    public void Dispose() => _key.Dispose();

    private static async Task RefusedAsync(string code, string what, Func<Task> call)
    {
        var refused = await Assert.ThrowsAnyAsync<BridgeException>(call);
        Assert.Equal(code, refused.Code);
        Assert.Contains(what, refused.Message, StringComparison.Ordinal);
    }

    private static void Rewrite(string package, Func<string, string> change)
    {
        using var archive = ZipFile.Open(package, ZipArchiveMode.Update);
        var entry = archive.GetEntry(PluginSignature.FileName)!;
        string text;
        using (var reader = new StreamReader(entry.Open())) text = reader.ReadToEnd();
        entry.Delete();
        using var writer = new StreamWriter(archive.CreateEntry(PluginSignature.FileName).Open());
        var changed = change(text);
        Assert.NotEqual(text, changed);
        writer.Write(changed);
    }

    private Task<string> PackAsync(string version) => PackAsync(version, _key);

    private static async Task<string> PackAsync(string version, IdentityKey? key)
    {
        var folder = Scratch.NewFolder("source");
        await File.WriteAllTextAsync(
            Path.Combine(folder, PluginManifest.FileName),
            """{"id":"signed","version":"VERSION","protocol":1,"channels":[{"id":"signed"}],"run":{"command":["python3","a.py"]}}"""
                .Replace("VERSION", version, StringComparison.Ordinal));
        await File.WriteAllTextAsync(Path.Combine(folder, "a.py"), "a");
        await File.WriteAllTextAsync(Path.Combine(folder, "b.py"), "b");
        var package = Path.Combine(Scratch.NewFolder("package"), "p.cbplugin");
        await using var file = File.Create(package);
        await PluginPackage.PackAsync(folder, file, key);
        return package;
    }
}
